print("tarn-proxy")
