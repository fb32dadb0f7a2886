print("tarn-watchdog")
