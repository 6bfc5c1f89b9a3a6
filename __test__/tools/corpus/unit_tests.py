"""Runs unit tests."""
import io
import unittest


class Sums(unittest.TestCase):
    def test_sum(self):
        self.assertEqual(sum(range(5)), 10)

    def test_wrong(self):
        self.assertEqual(1, 2)


suite = unittest.defaultTestLoader.loadTestsFromTestCase(Sums)
result = unittest.TextTestRunner(stream=io.StringIO()).run(suite)
print(result.testsRun, len(result.failures), result.failures[0][1].splitlines()[-1])
