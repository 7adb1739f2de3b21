//! NVIDIA's libraries, loaded at run time: the few functions that are called, declared by hand. A library that is missing is a
//! typed error with where it was looked for and what to install.

pub(super) mod cublaslt;
pub(super) mod cuda;
pub(super) mod nvrtc;
mod search;

pub use search::{LibraryError, Looked, Wanted};

/// Declares a library's functions and a table of them, which is whole or not there at all.
macro_rules! library {
    ($(#[$doc:meta])* $table:ident, $wanted:expr, { $($field:ident = $symbol:literal : fn($($argument:ty),* $(,)?) -> $result:ty;)* }) => {
        $(#[$doc])*
        pub(in crate::driver) struct $table {
            #[allow(dead_code, reason = "there is one driver, whose file need not be told")]
            pub(in crate::driver) file: String,
            $(pub(in crate::driver) $field: unsafe extern "C" fn($($argument),*) -> $result,)*
            /// The functions live as long as the library is loaded.
            _library: libloading::Library,
        }

        impl $table {
            /// Finds the library and all of its functions.
            pub(in crate::driver) fn load() -> Result<Self, super::LibraryError> {
                let super::search::Found { library, file } = super::search::find($wanted)?;
                $(
                    // SAFETY: the type is that of the declaration in the library's header.
                    let symbol = unsafe {
                        library.get::<unsafe extern "C" fn($($argument),*) -> $result>(concat!($symbol, "\0").as_bytes())
                    };
                    let missing =
                        |_| super::LibraryError::Symbol { wanted: $wanted, file: file.clone(), symbol: $symbol };
                    let $field = *symbol.map_err(missing)?;
                )*
                Ok($table { file, $($field,)* _library: library })
            }
        }
    };
}
use library;
