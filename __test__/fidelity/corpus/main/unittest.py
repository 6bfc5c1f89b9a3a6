import sys
import unittest


class Case(unittest.TestCase):
    def test_good(self):
        self.assertEqual(1, 1)

    def test_bad(self):
        self.assertEqual(1, 2, "not equal")


suite = unittest.defaultTestLoader.loadTestsFromModule(sys.modules["__main__"])
result = unittest.TextTestRunner(stream=open("/dev/null", "w")).run(suite)
print(result)
print(result.failures[0][1])
sys.exit(not result.wasSuccessful())
