//! The local engine's process 1 and the session together, without a container around it: held to the same
//! as `supervisor.py`.

#![cfg(target_os = "linux")]

#[path = "supervisor/files.rs"]
mod files;
#[path = "supervisor/jobs.rs"]
mod jobs;
#[path = "supervisor/support.rs"]
mod support;

use scientist_pool::runner::session::{BootError, End, Supervisor};
use support::{boot, command, run, PATIENCE};

/// What the tests of both kinds are to try: an example of the launcher's, where `cargo test` puts it.
fn supervisor() -> (Supervisor, Vec<String>) {
    let test = std::env::current_exe().expect("this test has a path");
    let built = test.ancestors().nth(2).expect("it is in a folder of the build");
    (Supervisor::Own, vec![built.join("examples/init").to_string_lossy().into_owned()])
}

#[tokio::test]
async fn where_there_is_no_interpreter_commands_run_all_the_same() {
    let folder = tempfile::tempdir().unwrap();
    std::os::unix::fs::symlink("/bin/cat", folder.path().join("cat")).unwrap();
    let path = [("PATH", folder.path().to_str().unwrap())];
    let (_supervisor, session) = boot(&[], &path).await;
    let session = session.expect("it comes up");
    assert!(!session.has_python());
    let (end, stdout, _) = run(&session, command(&["cat"], b"in", None, &[])).await;
    assert_eq!((end, &stdout[..]), (End::Exit(0), "in"));
    let (end, _, stderr) = run(&session, command(&["python3"], b"", None, &[])).await;
    assert_eq!((end, &stderr[..]), (End::Exit(127), "python3: No such file or directory\n"));
}

#[tokio::test]
async fn where_the_interpreter_does_not_come_up_commands_run_all_the_same() {
    let folder = tempfile::tempdir().unwrap();
    let python = folder.path().join("python3");
    std::fs::write(&python, "#!/bin/sh\necho no licence >&2\nexit 3\n").unwrap();
    std::fs::set_permissions(&python, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let path = [("PATH", &*format!("{}:/usr/bin:/bin", folder.path().display()))];
    let (_supervisor, session) = boot(&[], &path).await;
    let session = session.expect("it comes up");
    assert_eq!(session.no_python(), Some("no licence"));
    let (end, _, stderr) = run(&session, command(&["python3", "-"], b"", None, &[])).await;
    assert_eq!((end, &stderr[..]), (End::Exit(3), "no licence\n"));
    assert_eq!(run(&session, command(&["true"], b"", None, &[])).await.0, End::Exit(0));
    let (_supervisor, session) = boot(&["json"], &path).await;
    assert_eq!(session.err(), Some(BootError::Failed("no licence".to_owned())));
}

#[tokio::test]
async fn a_frame_that_no_pool_sends_is_its_end() {
    use tokio::io::AsyncWriteExt;
    for frame in [&b"D\xff\xff\xff\xff"[..], b"?\0\0\0\0", b"J\x01\0\0\0C", b"B\0\0\0\0"] {
        let mut process = tokio::process::Command::new(&supervisor().1[0])
            .stdin(std::process::Stdio::piped())
            .stdout(std::process::Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let mut stdin = process.stdin.take().unwrap();
        stdin.write_all(frame).await.unwrap();
        let ended = tokio::time::timeout(PATIENCE, process.wait()).await;
        assert_eq!(ended.expect("it ends").unwrap().code(), Some(1), "{frame:?}");
    }
}
