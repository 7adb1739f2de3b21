//! `models bundle`: a model as a folder of plain files.

use amanuensis::model::Source;

use super::Stop;
use crate::args::ModelsBundle;
use crate::commands::load;
use crate::console::{self, say};
use crate::fetching::{self, size};
use crate::interrupt;

pub(super) fn run(asked: &ModelsBundle) -> Result<u8, Stop> {
    let hub = fetching::hub(asked.fetching.model_dir.as_deref(), asked.fetching.offline);
    interrupt::listen();
    let path = match load::source(&asked.name, &asked.fetching, asked.progress)? {
        Source::Path(path) => path,
        Source::Demo => {
            let message = format!("{} is inside this program, wherever it is", asked.name);
            return Err(Stop::Usage(message));
        }
    };
    let copied = fetching::fetch(&hub, asked.progress, |watch| hub.bundle(&asked.name, &path, &asked.output, watch));
    let copied = copied.map_err(anyhow::Error::new)?;
    let bytes = copied.iter().map(|(_, bytes)| bytes).sum();
    let folder = asked.output.display().to_string();
    say!("{}: copied {} files, {}", asked.name, copied.len(), size(bytes));
    // What is given to --model there.
    let model = match copied.as_slice() {
        [(only, _)] => asked.output.join(only).display().to_string(),
        _ => folder,
    };
    console::print(format_args!("{}", console::visible(&model)))?;
    Ok(0)
}
