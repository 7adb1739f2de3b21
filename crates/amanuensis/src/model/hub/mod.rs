//! Models on Hugging Face's hub: how they are named, which files of a repository make one, and where the tools that
//! download them put them. Nothing here fetches anything.

mod cache;
mod choice;
mod name;

pub use cache::{Cache, Found, choose_in, commit_named, files_in, repository_folder};
pub use choice::{Choice, Form, NoChoice, choose, choose_file, choose_matching, fits, shards};
pub use name::HubName;
