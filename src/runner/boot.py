import posix
def take(n):
 b=b''
 while len(b)<n:
  c=posix.read(0,n-len(b))
  if not c:posix._exit(0)
  b+=c
 return b
sizes=int(take(8)),int(take(8))
launch,supervisor=map(take,sizes)
exec(compile(launch,'<launch>','exec'))
booted=boot(Fields(take(int.from_bytes(take(5)[1:],'little'))))
exec(compile(supervisor,'<supervisor>','exec'))
