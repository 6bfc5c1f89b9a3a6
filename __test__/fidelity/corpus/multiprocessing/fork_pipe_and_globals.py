import multiprocessing

context = multiprocessing.get_context("fork")
setting = {"changed": True}


def child(end):
    end.send((setting, __name__))


ours, theirs = context.Pipe()
process = context.Process(target=child, args=(theirs,))
process.start()
print(ours.recv())
process.join()
