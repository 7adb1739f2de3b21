//! Plays Hugging Face's hub on this machine, with the model of a folder under the names of published ones:
//!
//! ```text
//! cargo run -p amanuensis-hub --example played_hub -- 127.0.0.1:8642 models/demo openai/whisper-base
//! HF_ENDPOINT=http://127.0.0.1:8642 amanuensis transcribe --model base samples/ten-sentences.opus
//! ```

#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a tool for tests, which ends by panicking")]

#[path = "../tests/hub/played.rs"]
mod played;

fn main() {
    let mut words = std::env::args().skip(1);
    let address = words.next().unwrap_or_else(|| "127.0.0.1:0".to_owned());
    let folder = words.next().unwrap_or_else(|| "models/demo".to_owned());
    let names: Vec<String> = words.collect();
    let hub = played::Played::start_at(&address);
    for name in if names.is_empty() { vec!["openai/whisper-base".to_owned()] } else { names } {
        hub.add_folder(&name, folder.as_ref());
        println!("{name} is {folder} on {}", hub.endpoint);
    }
    loop {
        std::thread::park();
    }
}
