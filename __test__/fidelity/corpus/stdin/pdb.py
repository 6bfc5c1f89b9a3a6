import pdb

x = 3
pdb.set_trace()
y = 4
