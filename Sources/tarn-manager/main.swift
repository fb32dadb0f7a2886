print("tarn-manager")
