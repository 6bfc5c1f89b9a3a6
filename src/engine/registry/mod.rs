//! Images by their names, as every engine has them: what they are called, and what a pull of one takes.

pub mod credentials;
pub mod flights;
mod helper;
pub mod reference;
pub mod small_file;
