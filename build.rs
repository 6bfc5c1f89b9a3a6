fn main() {
    napi_build::setup();
    // The runtime's threads outlive any one Node environment. Without this, Node unmaps the
    // library when the last worker that loaded it ends, and those threads run into nothing.
    if std::env::var("CARGO_CFG_TARGET_OS").as_deref() == Ok("linux") {
        println!("cargo:rustc-cdylib-link-arg=-Wl,-z,nodelete");
    }
}
