class Node:
    freed = 0

    def __del__(self):
        Node.freed += 1


for _ in range(100_000):
    node = Node()
    node.me = node
print(Node.freed > 50_000)
