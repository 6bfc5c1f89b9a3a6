import os

print("this goes nowhere")
os.close(1)
