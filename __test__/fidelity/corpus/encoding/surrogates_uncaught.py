print("\ud83d\ude00")
