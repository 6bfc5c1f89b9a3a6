import signal

for number in sorted(signal.valid_signals()):
    handler = signal.getsignal(number)
    print(int(number), handler if isinstance(handler, int) or handler is None else handler.__name__)
