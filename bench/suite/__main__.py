"""The command line of the suite. tools/bench.sh and `innerloop bench` start it and hold its help."""
import argparse
import os
import signal
import sys
import tempfile
from pathlib import Path

from rivals.rival import NAMES
from suite import compare, environments, markdown, page, report, session
from suite.cases import CASES
from suite.contestants import Setting
from suite.progress import Progress

DONE, FAILED, STOPPED = 0, 1, 130
DEFAULT = {True: ("torch_eager", "torch_func", "tensorflow", "tensorflow_tasks"), False: tuple(NAMES)}


class Parser(argparse.ArgumentParser):
    def error(self, message: str):
        print(f"bench: {message}; see tools/bench.sh --help", file=sys.stderr)
        sys.exit(2)


def names_of(known, what: str):
    def parse(text: str) -> list[str]:
        names = [name for name in text.split(",") if name and name != "none"]
        for name in names:
            if name not in known:
                raise argparse.ArgumentTypeError(f"there is no {what} '{name}'; known: {', '.join(known)}")
        return names
    return parse


def interpreter(text: str) -> tuple[str, str]:
    framework, _, path = text.partition("=")
    if framework not in environments.FRAMEWORK.values() or not os.access(path, os.X_OK):
        raise argparse.ArgumentTypeError(f"'{text}' is no FRAMEWORK=PROGRAM, as in torch=/usr/bin/python3")
    return framework, path


def positive(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0 < value < 1e6:
        raise argparse.ArgumentTypeError(f"'{text}' is no positive number")
    return value


def parse(arguments: list[str]) -> argparse.Namespace:
    parser = Parser(prog="bench", add_help=False)
    if arguments[:1] == ["compare"]:
        parser.add_argument("command")
        parser.add_argument("a", type=Path)
        parser.add_argument("b", type=Path)
    elif arguments[:1] == ["report"]:
        parser.add_argument("command")
        parser.add_argument("a", type=Path)
        parser.add_argument("--markdown", type=Path)
        parser.add_argument("--html", type=Path)
        parser.add_argument("--charts", type=Path)
    else:
        # `check` only parses, so that a script need not build first to refuse what cannot be meant.
        parser.set_defaults(command="check" if arguments[:1] == ["check"] else "run")
        arguments = arguments[1:] if arguments[:1] == ["check"] else arguments
        parser.add_argument("--innerloop", default="innerloop")
        parser.add_argument("--built-here", action="store_true")  # by tools/bench.sh, when it has built the program
        parser.add_argument("--out", type=Path, default=Path("bench_out"))
        parser.add_argument("--quick", action="store_true")
        parser.add_argument("--no-curves", action="store_true")
        parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
        parser.add_argument("--precision", choices=("float32", "default"), default="float32")
        parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
        parser.add_argument("--minutes", type=positive)
        parser.add_argument("--rivals", type=names_of(NAMES, "rival"))
        parser.add_argument("--workloads", type=names_of(CASES, "workload"), default=[])
        parser.add_argument("--python", type=interpreter, action="append", default=[])
        parser.add_argument("--cache", type=Path, default=environments.cache_folder())
    args = parser.parse_args(arguments)
    if "threads" in args and not 1 <= args.threads <= len(os.sched_getaffinity(0)):
        parser.error(f"--threads {args.threads}: this machine gives 1 to {len(os.sched_getaffinity(0))}")
    return args


def run(args: argparse.Namespace) -> int:
    rivals = list(DEFAULT[args.quick]) if args.rivals is None else args.rivals
    request = session.Request(args.innerloop, args.out, args.workloads, rivals, dict(args.python),
                              Setting(args.device, args.threads, args.precision), args.quick, not args.no_curves,
                              args.minutes or (4.5 if args.quick else 60), args.cache, args.built_here)
    args.out.mkdir(parents=True, exist_ok=True)
    progress = Progress()
    for number in (signal.SIGINT, signal.SIGTERM):  # also where a script started it in the background
        signal.signal(number, signal.default_int_handler)
    measuring = session.Session(request, progress)
    code = DONE
    with tempfile.TemporaryDirectory(prefix="innerloop_bench_") as folder:
        try:
            measuring.run(Path(folder))
        except KeyboardInterrupt:
            progress.line("stopped; what was measured is kept")
            code = STOPPED
    report.write(args.out / "bench.json", measuring.report)
    (args.out / "bench.html").write_text(page.html(measuring.report), encoding="utf-8")
    print(markdown.write(measuring.report, None, None), end="")
    progress.line(f"wrote {args.out}/bench.html and {args.out}/bench.json")
    nothing = not any(report.measured(case) for case in measuring.report["cases"])
    return code or (FAILED if nothing else DONE)


def main() -> int:
    args = parse(sys.argv[1:])
    try:
        if args.command == "compare":
            print(compare.text(report.read(args.a), report.read(args.b), args.a, args.b))
            return DONE
        if args.command == "report":
            bench = report.read(args.a)
            text = markdown.write(bench, args.markdown, args.charts)
            if args.html is not None:
                args.html.write_text(page.html(bench), encoding="utf-8")
            if args.markdown is None and args.html is None:
                print(text, end="")
            return DONE
        return run(args) if args.command == "run" else DONE
    except report.BadReport as error:
        print(f"bench: {error}", file=sys.stderr)
    except OSError as error:
        print(f"bench: {error.filename}: {error.strerror}", file=sys.stderr)
    return FAILED


if __name__ == "__main__":
    sys.exit(main())
