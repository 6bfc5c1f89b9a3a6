class A:
    class B:
        def m(self):
            pass


def f():
    class C:
        pass

    return C


print(A, A.B, A.B.m.__qualname__, f(), f.__module__, A.__module__)
