//! The engine behind HTTP: an OpenAI endpoint and what its users expect beside it, with a web page.
//!
//! A request goes one way: `guard` decides who may ask, `form` takes its file to the disk, `wish` makes its fields
//! into options, `hear` decodes the sound and sends it through the one line that all share (`scheduler`), and `answer`
//! writes what came of it. `live` does the same for sound that comes piece by piece over a WebSocket. `routes` has a file for each family of endpoints.
//!
//! ```no_run
//! # use std::sync::Arc;
//! # struct Mine;
//! # impl amanuensis_server::Library for Mine {
//! #     fn names(&self) -> Vec<String> { vec!["demo".to_owned()] }
//! #     fn load(&self, _: &str) -> Result<amanuensis::Engine, amanuensis_server::LoadError> { Err(amanuensis_server::LoadError::Other("none".to_owned())) }
//! # }
//! use amanuensis_server::{Keys, Server, Settings};
//!
//! let server = Server::bind(Settings::default(), Keys::default(), Arc::new(Mine))?;
//! println!("http://{}", server.address());
//! server.run(std::future::pending())?;
//! # Ok::<(), amanuensis_server::ServerError>(())
//! ```

mod answer;
mod connections;
mod error;
mod form;
#[cfg(feature = "fuzzing")]
#[doc(hidden)]
pub mod fuzzing;
mod gate;
mod guard;
mod hear;
mod jobs;
mod keys;
mod live;
mod metrics;
mod models;
mod page;
mod routes;
mod scheduler;
mod serve;
mod settings;
mod stalling;
mod state;
mod wish;
mod wyoming;

pub use error::ApiError;
pub use keys::{Client, Key, KeyError, Keys, Scope};
pub use models::{Library, LoadError};
pub use serve::{Server, ServerError};
pub use settings::{Settings, SettingsError};
