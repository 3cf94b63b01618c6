"""Tests of count_results.py: what a test program says is what is counted."""

import contextlib
import io
import json
import pathlib
import sys
import tempfile
import unittest

import count_results


def program(result="OK", stdout="", stderr="", returncode=0):
    return {"name": "x", "result": result, "stdout": stdout, "stderr": stderr,
            "returncode": returncode}


class CountTest(unittest.TestCase):
    def test_cpputest_summary_counts_each_test(self):
        out = "....\nOK (12 tests, 10 ran, 55 checks, 2 ignored, 0 filtered out, 3 ms)\n"
        self.assertEqual(count_results.count(program(stdout=out)), (10, 0, 2))

    def test_cpputest_errors_are_failures(self):
        out = "Errors (2 failures, 12 tests, 12 ran, 9 checks, 0 ignored, 0 filtered out, 3 ms)\n"
        self.assertEqual(count_results.count(program("FAIL", out)), (10, 2, 0))

    def test_cpputest_that_ran_nothing_fails(self):
        out = "Errors (ran nothing, 0 tests, 0 ran, 0 checks, 0 ignored, 0 filtered out, 0 ms)\n"
        self.assertEqual(count_results.count(program("FAIL", out)), (0, 1, 0))

    def test_several_cpputest_summaries_are_added_up(self):
        one = "OK (3 tests, 3 ran, 4 checks, 0 ignored, 0 filtered out, 0 ms)\n"
        self.assertEqual(count_results.count(program(stdout=one + one)), (6, 0, 0))

    def test_the_last_plain_line_counts(self):
        out = "1 passed, 0 failed\nmore\n7 passed, 0 failed, 2 skipped\n"
        self.assertEqual(count_results.count(program(stdout=out)), (7, 0, 2))

    def test_a_crash_after_a_good_summary_is_a_failure(self):
        out = "OK (3 tests, 3 ran, 4 checks, 0 ignored, 0 filtered out, 0 ms)\n"
        self.assertEqual(count_results.count(program("FAIL", out, returncode=-11)), (3, 1, 0))

    def test_a_program_out_of_time_is_a_failure(self):
        self.assertEqual(count_results.count(program("TIMEOUT")), (0, 1, 0))

    def test_failures_told_with_exit_0_are_failures(self):
        self.assertEqual(count_results.count(program(stdout="5 passed, 1 failed\n")), (5, 1, 0))

    def test_a_sanitizer_report_with_exit_0_is_a_failure(self):
        out = "4 passed, 0 failed\n"
        err = "a.cc:3:1: runtime error: shift exponent is negative\n"
        self.assertEqual(count_results.count(program(stdout=out, stderr=err)), (4, 1, 0))

    def test_a_program_without_summary_is_one_test(self):
        self.assertEqual(count_results.count(program(stdout="done\n")), (1, 0, 0))

    def test_a_program_that_counted_nothing_fails(self):
        self.assertEqual(count_results.count(program(stdout="0 passed, 0 failed\n")), (0, 1, 0))

    def test_a_skipped_program_is_skipped(self):
        self.assertEqual(count_results.count(program("SKIP", returncode=77)), (0, 0, 1))

    def test_a_skipped_program_keeps_its_own_count(self):
        out = "0 passed, 0 failed, 43 skipped\n"
        self.assertEqual(count_results.count(program("SKIP", out, returncode=77)), (0, 0, 43))


class FolderTest(unittest.TestCase):
    def run_main(self, tests, *arguments):
        with tempfile.TemporaryDirectory() as name:
            folder = pathlib.Path(name)
            if tests is not None:
                (folder / "meson-logs").mkdir()
                text = "".join(json.dumps(test) + "\n" for test in tests)
                (folder / "meson-logs" / "testlog.json").write_text(text, encoding="utf-8")
            output = io.StringIO()
            with contextlib.redirect_stdout(output):
                status = count_results.main([*arguments, name])
            return status, output.getvalue().splitlines()[-1]

    def test_the_last_line_closes(self):
        tests = [program(stdout="2 passed, 0 failed\n"), program()]
        self.assertEqual(self.run_main(tests), (0, "3 passed, 0 failed"))

    def test_a_folder_without_results_is_a_failure(self):
        self.assertEqual(self.run_main(None), (1, "0 passed, 1 failed"))

    def test_failures_from_outside_are_added(self):
        self.assertEqual(self.run_main([program()], "--failed", "2"), (1, "1 passed, 2 failed"))


def main():
    suite = unittest.defaultTestLoader.loadTestsFromModule(sys.modules["__main__"])
    result = unittest.TextTestRunner(stream=sys.stderr).run(suite)
    failed = len(result.failures) + len(result.errors)
    print(f"{result.testsRun - failed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
