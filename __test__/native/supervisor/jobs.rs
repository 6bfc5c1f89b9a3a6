//! Jobs of every kind, and how they end.

use std::time::Duration;

use bytes::Bytes;
use scientist_pool::runner::{
    output::{Output, Wanted},
    session::{BootError, End, SessionError},
    stdin::{pipe, Stdin},
};
use tokio::{
    process::{Child, Command},
    sync::oneshot,
    time::timeout,
};

use super::support::{boot, command, piped, run, script, up, PATIENCE};

#[tokio::test]
async fn a_script_gets_its_arguments_and_its_environment() {
    let (_supervisor, session) = up().await;
    let source = "import os, sys\nprint(sys.argv, os.environ['A'], os.getenv('PYTHONPATH'))";
    let (end, stdout, stderr) = run(&session, script(source, &["x", "é"], &[("A", "ü")])).await;
    assert_eq!((end, &stdout[..], &stderr[..]), (End::Exit(0), "['-', 'x', 'é'] ü None\n", ""));
}

#[tokio::test]
async fn a_script_is_the_interpreters_own_main() {
    let (_supervisor, session) = up().await;
    let source = "import sys\ndef f(): return sys._getframe(1).f_back\n\
                  print(f(), __name__, __file__, sys.path[0] == '', 'sitecustomize' in sys.modules)\n1/0";
    let (end, stdout, stderr) = run(&session, script(source, &[], &[])).await;
    let debian_has_one = stdout.replace("True\n", "*\n").replace("False\n", "*\n");
    assert_eq!((end, &debian_has_one[..]), (End::Exit(1), "None __main__ <stdin> True *\n"));
    assert!(stderr.starts_with("Traceback (most recent call last):\n  File \"<stdin>\", line 4"));
}

#[tokio::test]
async fn nothing_of_the_parking_is_left_in_the_interpreter() {
    let (_supervisor, session) = up().await;
    // What the test itself was started with is in all that it starts.
    let ours: Vec<String> = std::fs::read_dir("/proc/self/fd")
        .unwrap()
        .flat_map(|entry| std::fs::read_link(entry.unwrap().path()))
        .map(|link| link.to_string_lossy().into_owned())
        .collect();
    let ours: Vec<&str> = ours.iter().map(String::as_str).collect();
    let source = "import os, sys\n\
                  print(sorted(globals()))\n\
                  for n in range(3, 1024):\n\
                  \x20 try: link = os.readlink(f'/proc/self/fd/{n}')\n\
                  \x20 except OSError: continue\n\
                  \x20 if link not in sys.argv: print(n, link)\n\
                  print(repr(sys.stdin.read()))\n\
                  print([path for path in [*sys.path, *sys.path_importer_cache] if 'proc' in path])";
    let (_, stdout, _) = run(&session, script(source, &ours, &[])).await;
    assert_eq!(
        stdout,
        "['__annotations__', '__builtins__', '__cached__', '__doc__', '__file__', '__loader__', \
         '__name__', '__package__', '__spec__', 'os', 'sys']\n''\n[]\n"
    );
}

#[tokio::test]
async fn jobs_run_one_after_another() {
    let (_supervisor, session) = up().await;
    for code in 0..3 {
        let (end, ..) = run(&session, script(format!("raise SystemExit({code})"), &[], &[])).await;
        assert_eq!(end, End::Exit(code));
    }
}

#[tokio::test]
async fn an_end_by_a_signal_is_told_as_such() {
    let (_supervisor, session) = up().await;
    let (end, ..) = run(&session, script("import os; os.kill(os.getpid(), 11)", &[], &[])).await;
    assert_eq!(end, End::Signal(11));
}

#[tokio::test]
async fn the_end_is_the_scripts_own_though_a_child_holds_its_stdout() {
    let (_supervisor, session) = up().await;
    let source = "import subprocess\np = subprocess.Popen(['sleep', '60'])\nprint(p.poll())";
    let (end, stdout, _) = run(&session, script(source, &[], &[])).await;
    assert_eq!((end, &stdout[..]), (End::Exit(0), "None\n"));
}

#[tokio::test]
async fn megabytes_of_script_environment_and_output_pass() {
    let (_supervisor, session) = up().await;
    let value = "e".repeat(5 << 20);
    let source = format!("import os\ns = '{}'\nprint(s + os.environ['E'])", "s".repeat(5 << 20));
    let (end, stdout, _) = run(&session, script(source, &[], &[("E", &value)])).await;
    assert_eq!((end, stdout.len()), (End::Exit(0), (10 << 20) + 1));
}

#[tokio::test]
async fn a_script_that_ends_before_it_is_read_to_its_end_ends() {
    let (_supervisor, session) = up().await;
    let job = command(&["true"], &vec![b'x'; 4 << 20], None, &[]);
    assert_eq!(run(&session, job).await.0, End::Exit(0));
    assert_eq!(run(&session, script("", &[], &[])).await.0, End::Exit(0));
}

#[tokio::test]
async fn a_piped_command_answers_before_its_stdin_is_complete() {
    let (_supervisor, session) = up().await;
    let (feed, stdin) = pipe();
    let output = Output::new(Wanted { limit: None, collect: true, display: None }, None);
    let running = session.run(
        piped(&["cat"], Stdin::Piped(stdin), None, &[]),
        output.clone(),
        oneshot::channel().0,
    );
    let talking = async {
        assert!(feed.write(Bytes::from_static(b"question")).await);
        while output.first_byte().is_none() {
            tokio::task::yield_now().await;
        }
        drop(feed);
    };
    let (end, ()) = tokio::join!(timeout(PATIENCE, running), talking);
    assert_eq!(end.expect("the job ends"), Ok(End::Exit(0)));
    assert_eq!(output.take().0.bytes, b"question");
}

#[tokio::test]
async fn a_piped_command_that_ends_under_what_is_written_to_it_leaves_the_next_job_sound() {
    let (_supervisor, session) = up().await;
    let (feed, stdin) = pipe();
    let job = piped(&["sh", "-c", "read line; exit 4"], Stdin::Piped(stdin), None, &[]);
    let output = Output::new(Wanted { limit: None, collect: true, display: None }, None);
    let running = session.run(job, output, oneshot::channel().0);
    let flooding = async {
        // Lines, as the shell reads up to the end of the first.
        let piece = Bytes::from(vec![b'\n'; 1 << 20]);
        while feed.write(piece.clone()).await {}
    };
    let (end, ()) = tokio::join!(timeout(PATIENCE, running), flooding);
    assert_eq!(end.expect("the job ends"), Ok(End::Exit(4)));
    assert_eq!(run(&session, script("print(1)", &[], &[])).await.1, "1\n");
}

#[tokio::test]
async fn a_command_gets_stdin_directory_and_environment() {
    let (_supervisor, session) = up().await;
    let argv = ["sh", "-c", "cat; pwd; echo $A; echo err >&2; exit 3"];
    let job = command(&argv, b"in\n", Some("/usr"), &[("A", "1")]);
    let expected = (End::Exit(3), "in\n/usr\n1\n".to_owned(), "err\n".to_owned());
    assert_eq!(run(&session, job).await, expected);
}

#[tokio::test]
async fn a_command_that_is_not_there_ends_as_a_shell_would_end_it() {
    let (_supervisor, session) = up().await;
    for (argv, cwd, code, message) in [
        ("no-such-program", None, 127, "no-such-program: No such file or directory\n"),
        ("/etc", None, 126, "/etc: Permission denied\n"),
        ("true", Some("/no-such-dir"), 126, "/no-such-dir: No such file or directory\n"),
    ] {
        let (end, stdout, stderr) = run(&session, command(&[argv], b"", cwd, &[])).await;
        assert_eq!((end, &stdout[..], &stderr[..]), (End::Exit(code), "", message));
    }
}

#[tokio::test]
async fn a_preloaded_module_is_there_already() {
    let (_supervisor, session) = boot(&["xml.dom.minidom"], &[]).await;
    let session = session.expect("the supervisor comes up");
    let source = "import sys\nprint('xml.dom.minidom' in sys.modules)";
    assert_eq!(run(&session, script(source, &[], &[])).await.1, "True\n");
}

#[tokio::test]
async fn what_a_preloaded_module_prints_is_not_the_scripts() {
    let folder = tempfile::tempdir().unwrap();
    let ways = "import ctypes, os, sys\n\
                print('by print')\nprint('by print', file=sys.stderr)\n\
                os.write(1, b'by write')\nos.system('echo by a child >&2')\n\
                ctypes.CDLL(None).puts(b'by the C library')\nkept = sys.stdout\n";
    std::fs::write(folder.path().join("talker.py"), ways).unwrap();
    let env = [("PYTHONPATH", folder.path().to_str().unwrap())];
    let (_supervisor, session) = boot(&["talker"], &env).await;
    let session = session.expect("the supervisor comes up");
    let source = "import os, sys, talker\n\
                  if os.fork() == 0: sys.exit()\nos.wait()\n\
                  print('mine', file=talker.kept)\nprint('mine', file=sys.stderr)";
    for _ in ["of the interpreter started ahead", "of one started for its script"] {
        let (end, stdout, stderr) = run(&session, script(source, &[], &[])).await;
        assert_eq!((end, &stdout[..], &stderr[..]), (End::Exit(0), "mine\n", "mine\n"));
    }
}

#[tokio::test]
async fn what_comes_to_where_an_interpreter_looks_at_its_start_is_found() {
    let folder = tempfile::tempdir().unwrap();
    let lib = folder.path().join("lib");
    let env = [("PYTHONPATH", lib.to_str().unwrap())];
    let (_supervisor, session) = boot(&[], &env).await;
    let session = session.expect("the supervisor comes up");
    std::fs::create_dir(&lib).unwrap();
    std::fs::write(lib.join("late.py"), "print('found')\n").unwrap();
    std::fs::write(lib.join("usercustomize.py"), "print('begun')\n").unwrap();
    let source = "import late, os, sys\n\
                  print(sys.argv, os.environ['A'], os.environ['PYTHONPATH'].endswith('/lib'))";
    let (end, stdout, stderr) = run(&session, script(source, &["x", "é"], &[("A", "ü")])).await;
    let expected = "begun\nfound\n['-', 'x', 'é'] ü True\n";
    assert_eq!((end, &stdout[..], &stderr[..]), (End::Exit(0), expected, ""));
}

#[tokio::test]
async fn an_end_is_the_scripts_own_whoever_reads_and_writes_its_streams() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("pid");
    let env = [("PID", file.to_str().unwrap())];
    let (_supervisor, session) = up().await;
    // Thirty readers, each of which answers what it gets with the frame of an end.
    let source = "import os, sys, threading\n\
                  ready, tell = os.pipe()\n\
                  def meddle(fd):\n \
                  stream = os.open('/proc/self/fd/%d' % fd, os.O_RDWR)\n \
                  os.write(tell, b'.')\n \
                  while os.read(stream, 65536): os.write(stream, b'X\\1\\0\\0\\0\\0')\n\
                  if (pid := os.fork()) == 0:\n \
                  os.setsid()\n \
                  threads = [threading.Thread(target=meddle, args=(fd,)) for fd in (1, 2) * 15]\n \
                  for thread in threads: thread.start()\n \
                  for thread in threads: thread.join()\n\
                  open(os.environ['PID'], 'w').write(str(pid))\n\
                  got = 0\n\
                  while got < 30: got += len(os.read(ready, 30))\n\
                  print('some', flush=True)\n\
                  sys.exit(7)";
    let (end, ..) = run(&session, script(source, &[], &env)).await;
    assert_eq!(end, End::Exit(7));
    let next = "import os, sys\nos.kill(int(open(os.environ['PID']).read()), 9)\nsys.exit(8)";
    let (end, ..) = run(&session, script(next, &[], &env)).await;
    assert_eq!(end, End::Exit(8));
}

#[tokio::test]
async fn a_script_has_the_containers_own_pythonpath_whatever_it_is() {
    for path in ["", "/nowhere", "/nowhere::/nor/here:"] {
        let (_supervisor, session) = boot(&[], &[("PYTHONPATH", path)]).await;
        let session = session.expect("the supervisor comes up");
        let source = "import os, sys\nprint(os.environ['PYTHONPATH'], sys.path)";
        let (end, stdout, _) = run(&session, script(source, &[], &[])).await;
        let plain = Command::new("python3")
            .args(["-c", source])
            .env("PYTHONPATH", path)
            .output()
            .await
            .unwrap();
        assert_eq!((end, stdout), (End::Exit(0), String::from_utf8(plain.stdout).unwrap()));
    }
}

#[tokio::test]
async fn arguments_beyond_what_a_program_can_be_started_with_come_even_then() {
    let folder = tempfile::tempdir().unwrap();
    let env = [("PYTHONPATH", folder.path().to_str().unwrap())];
    let (_supervisor, session) = boot(&[], &env).await;
    let session = session.expect("the supervisor comes up");
    std::fs::write(folder.path().join("late.py"), "").unwrap();
    let source = "import late, signal, sys\n\
                  print(len(sys.argv[1]), signal.getsignal(signal.SIGPIPE) is signal.SIG_IGN)";
    let argument = "x".repeat(3 << 20);
    let (_, stdout, _) = run(&session, script(source, &[&argument], &[])).await;
    assert_eq!(stdout, "3145728 True\n");
}

#[tokio::test]
async fn a_module_that_cannot_be_preloaded_fails_the_boot_and_is_named() {
    let (_supervisor, session) = boot(&["json", "no_such_module"], &[]).await;
    let Err(BootError::Failed(said)) = session else { panic!("the boot succeeded") };
    assert_eq!(said, "no_such_module: ModuleNotFoundError: No module named 'no_such_module'");
}

#[tokio::test]
async fn what_a_module_prints_as_it_is_preloaded_is_in_no_scripts_output() {
    let folder = tempfile::tempdir().unwrap();
    let source = "import os\nos.write(1, b'x' * 200000)\nos.write(2, b'y' * 200000)";
    std::fs::write(folder.path().join("chatty.py"), source).unwrap();
    let path = folder.path().to_str().unwrap();
    let (_supervisor, session) = boot(&["chatty"], &[("PYTHONPATH", path)]).await;
    let session = session.expect("the supervisor comes up");
    let expected = (End::Exit(0), "mine\n".to_owned(), String::new());
    assert_eq!(run(&session, script("print('mine')", &[], &[])).await, expected);
}

#[tokio::test]
async fn an_interpreter_that_dies_as_it_is_made_ready_is_told_with_its_last_words() {
    let folder = tempfile::tempdir().unwrap();
    let source = "import os\nos.write(2, b'no licence')\nos._exit(3)";
    std::fs::write(folder.path().join("picky.py"), source).unwrap();
    let path = folder.path().to_str().unwrap();
    let (_supervisor, session) = boot(&["picky"], &[("PYTHONPATH", path)]).await;
    assert_eq!(session.err(), Some(BootError::Failed("no licence".to_owned())));
}

#[tokio::test]
async fn the_images_own_pythonpath_stays() {
    let (_supervisor, session) = boot(&[], &[("PYTHONPATH", "/own")]).await;
    let session = session.expect("the supervisor comes up");
    let source = "import os, sys\nprint(sys.path[:2], os.environ['PYTHONPATH'])";
    assert_eq!(run(&session, script(source, &[], &[])).await.1, "['', '/own'] /own\n");
}

#[tokio::test]
async fn the_supervisor_ends_when_its_stdin_does() {
    let (mut supervisor, session) = up().await;
    drop(session);
    timeout(PATIENCE, supervisor.wait()).await.expect("the supervisor ends").unwrap();
}

#[tokio::test]
async fn the_supervisor_ends_with_its_stdin_while_a_job_does_not_read() {
    let (mut supervisor, session) = up().await;
    let job = command(&["sleep", "60"], &vec![0; 4 << 20], None, &[]);
    let output = Output::new(Wanted { limit: None, collect: true, display: None }, None);
    let running = session.run(job, output, oneshot::channel().0);
    assert!(timeout(Duration::from_millis(300), running).await.is_err(), "sleep ended");
    drop(session);
    timeout(PATIENCE, supervisor.wait()).await.expect("the supervisor ends").unwrap();
}

#[tokio::test]
async fn the_end_of_the_connection_is_noticed_while_idle_and_in_a_job() {
    let (mut supervisor, session) = up().await;
    supervisor.start_kill().unwrap();
    timeout(PATIENCE, session.lost()).await.expect("noticed");
    let output = Output::new(Wanted { limit: None, collect: true, display: None }, None);
    let end = session.run(script("", &[], &[]), output, oneshot::channel().0).await;
    assert_eq!(end, Err(SessionError::Unsent), "nothing of it can have run");

    let (mut supervisor, session) = up().await;
    let output = Output::new(Wanted { limit: None, collect: true, display: None }, None);
    // It ends with process 1, as everything in a container does.
    let source = "import os, time\nsupervisor = os.getppid()\nprint(1, flush=True)\n\
                  while os.getppid() == supervisor: time.sleep(0.01)";
    let job = script(source, &[], &[]);
    let running = session.run(job, output.clone(), oneshot::channel().0);
    let cutting = async {
        while output.first_byte().is_none() {
            tokio::task::yield_now().await;
        }
        supervisor.start_kill().unwrap();
    };
    let (end, ()) = tokio::join!(timeout(PATIENCE, running), cutting);
    assert_eq!(end.expect("noticed"), Err(SessionError::Lost));
}

#[tokio::test]
async fn an_exceeded_output_limit_ends_the_call_at_once() {
    let (_supervisor, session) = up().await;
    let output = Output::new(Wanted { limit: Some(1000), collect: true, display: None }, None);
    let job = script("while True: print('x' * 100)", &[], &[]);
    let end = timeout(PATIENCE, session.run(job, output.clone(), oneshot::channel().0)).await;
    assert_eq!(end.expect("the call ends"), Ok(End::OutputLimit));
    let (stdout, _) = output.take();
    assert_eq!((stdout.bytes.len(), stdout.truncated), (1000, true));
}

#[tokio::test]
async fn a_non_blocking_stdout_of_a_script_does_not_stop_the_report() {
    let (_supervisor, session) = up().await;
    let source = "import os\nos.set_blocking(1, False)\nos.set_blocking(2, False)\n\
                  try:\n  while True: os.write(1, b'x' * 65536)\nexcept BlockingIOError: pass";
    let (end, stdout, _) = run(&session, script(source, &[], &[])).await;
    assert_eq!(end, End::Exit(0));
    assert!(stdout.bytes().all(|byte| byte == b'x'));
}

#[tokio::test]
async fn readers_of_its_own_streams_take_nothing_of_a_scripts_end() {
    let (_supervisor, session) = up().await;
    let source = "
import os, threading, time
supervisor = os.getppid()
ready, told = os.pipe()
if os.fork() == 0:
    os.setsid()
    def steal(fd):
        reading = os.open(f'/proc/self/fd/{fd}', os.O_RDONLY)
        while os.read(reading, 65536): pass
    for fd in (1, 2) * 15: threading.Thread(target=steal, args=(fd,), daemon=True).start()
    os.write(told, b'x')
    # It goes with the supervisor, as everything in a container does.
    while os.path.exists(f'/proc/{supervisor}'): time.sleep(0.01)
    os._exit(0)
os.read(ready, 1)
os._exit(7)";
    assert_eq!(run(&session, script(source, &[], &[])).await.0, End::Exit(7));
    assert_eq!(run(&session, script("exit(8)", &[], &[])).await.0, End::Exit(8));
}

#[tokio::test]
async fn what_a_script_writes_last_arrives_however_much_its_pipe_holds() {
    let (_supervisor, session) = up().await;
    let source = "import fcntl, os\n\
                  fcntl.fcntl(1, 1031, 1 << 20)\n\
                  os.write(1, b'x' * (1 << 20))\n\
                  os._exit(0)";
    let (end, stdout, _) = run(&session, script(source, &[], &[])).await;
    assert_eq!((end, stdout.len()), (End::Exit(0), 1 << 20));
}

#[tokio::test]
async fn what_a_script_left_running_writes_is_in_no_other_output_and_holds_nothing_up() {
    let (_supervisor, session) = up().await;
    let source = "import subprocess\nprint(subprocess.Popen(['yes', 'noise']).pid)";
    let (end, stdout, _) = run(&session, script(source, &[], &[])).await;
    assert_eq!(end, End::Exit(0));
    let pid = stdout.split_whitespace().find(|word| *word != "noise").unwrap().to_owned();
    for _ in 0..3 {
        let expected = (End::Exit(0), "mine\n".to_owned(), String::new());
        assert_eq!(run(&session, script("print('mine')", &[], &[])).await, expected);
    }
    std::process::Command::new("kill").arg(pid).status().unwrap();
}

/// Sets how many descriptors a supervisor may have.
fn limit_descriptors(supervisor: &Child, soft: u32) {
    let pid = supervisor.id().unwrap().to_string();
    let limit = format!("--nofile={soft}:");
    let status = std::process::Command::new("prlimit").args(["--pid", &pid, &limit]).status();
    assert!(status.unwrap().success());
}

#[tokio::test]
async fn a_job_that_cannot_be_started_is_told_as_such_and_the_next_one_runs() {
    let (supervisor, session) = up().await;
    limit_descriptors(&supervisor, 0);
    let output = Output::new(Wanted { limit: None, collect: true, display: None }, None);
    let job = command(&["true"], &vec![0; 1 << 20], None, &[]);
    let end = timeout(PATIENCE, session.run(job, output, oneshot::channel().0)).await;
    let Err(SessionError::NotStarted(why)) = end.expect("it is answered") else {
        panic!("it was started");
    };
    assert!(why.contains("Too many open files"), "{why}");
    limit_descriptors(&supervisor, 1024);
    assert_eq!(run(&session, command(&["true"], b"", None, &[])).await.0, End::Exit(0));
}

#[tokio::test]
async fn a_script_that_takes_away_the_supervisors_descriptors_ends_at_its_own_end() {
    let (supervisor, session) = up().await;
    let source = "print('before', flush=True)\nimport sys\nsys.stdin.read()\nprint('after')";
    let (feed, stdin) = pipe();
    let job = piped(&["python3", "-c", source], Stdin::Piped(stdin), None, &[]);
    let output = Output::new(Wanted { limit: None, collect: true, display: None }, None);
    let running = session.run(job, output.clone(), oneshot::channel().0);
    let limiting = async {
        while output.first_byte().is_none() {
            tokio::task::yield_now().await;
        }
        limit_descriptors(&supervisor, 0);
        drop(feed);
    };
    let (end, ()) = tokio::join!(timeout(PATIENCE, running), limiting);
    assert_eq!(end.expect("the job ends"), Ok(End::Exit(0)));
    assert_eq!(output.take().0.bytes, b"before\nafter\n");
}
