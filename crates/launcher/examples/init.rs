//! Process 1 without a container around it, for `__test__/native/init.rs`: it speaks on stdin and stdout.

fn main() {
    #[cfg(target_os = "linux")]
    scientist_pool_launcher::run_init_here()
}
