# coding: utf-7
print(ascii("+AOk-"))
