import os
def f(n):
 b=b''
 while len(b)<n:
  c=os.read(0,n-len(b))
  if not c:os._exit(0)
  b+=c
 return b
exec(compile(f(int(f(8))),'<supervisor>','exec'))
