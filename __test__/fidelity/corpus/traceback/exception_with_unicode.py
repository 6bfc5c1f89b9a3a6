raise ValueError("é ☃ \U0001f600 \x00 \udc80 end")
