//! `supervisor.py` and the session together, on this machine's `python3`: no container, so that each
//! behaviour is tested where it is cheap. What only a container has is tested through the package.

#[path = "supervisor/files.rs"]
mod files;
#[path = "supervisor/jobs.rs"]
mod jobs;
#[path = "supervisor/support.rs"]
mod support;

use std::path::Path;

use scientist_pool::runner::session::{BootError, End, Supervisor};
use support::{boot_as, command, run, script};

/// What the tests of both kinds are to try.
fn supervisor() -> (Supervisor, Vec<String>) {
    (Supervisor::Python, Supervisor::command())
}

#[tokio::test]
async fn an_interpreter_that_cannot_keep_scripts_out_is_no_supervisor() {
    let mut argv = Supervisor::command();
    let boot = argv.last_mut().unwrap();
    *boot = format!("import sys\nsys.modules['_ctypes'] = None\n{boot}");
    let (_supervisor, session) = boot_as(Supervisor::Python, &argv, Path::new("."), &[], &[]).await;
    assert_eq!(session.err(), Some(BootError::Unshielded));
}

#[tokio::test]
async fn where_its_user_has_used_up_all_places_in_epolls_scripts_run_all_the_same() {
    let mut argv = Supervisor::command();
    let boot = argv.last_mut().unwrap();
    *boot = format!(
        "import select\n\
         class Full:\n    \
             def register(self, fd, events): raise OSError(28, 'No space left on device')\n\
         select.epoll = Full\n{boot}"
    );
    let (_supervisor, session) = boot_as(Supervisor::Python, &argv, Path::new("."), &[], &[]).await;
    let session = session.expect("the supervisor comes up");
    for _ in 0..2 {
        let expected = (End::Exit(0), "mine\n".to_owned(), String::new());
        assert_eq!(run(&session, script("print('mine')", &[], &[])).await, expected);
    }
    let input = vec![b'x'; 1 << 20];
    let (end, stdout, _) = run(&session, command(&["wc", "-c"], &input, None, &[])).await;
    assert_eq!((end, stdout.trim()), (End::Exit(0), "1048576"));
}
