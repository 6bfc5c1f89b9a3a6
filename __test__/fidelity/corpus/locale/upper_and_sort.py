import locale

words = ["zebra", "Äpfel", "apple", "Zoo", "éclair"]
print(sorted(words), sorted(words, key=locale.strxfrm), "straße".upper(), "İ".lower())
