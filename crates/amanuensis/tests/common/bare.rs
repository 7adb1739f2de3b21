//! A model without the engine around it, to look at single windows.

use std::path::Path;
use std::sync::atomic::AtomicBool;

use amanuensis::Crew;
use amanuensis::backend::cpu::Cpu;
use amanuensis::backend::{Backend, ComputeType, Decoding, Model, Work};
use amanuensis::decoding::{self, Decoded, Item, Prompt, Request, Resort, Search, Thresholds};
use amanuensis::mel::{Convention, Mel, Spectrogram, WINDOW_FRAMES};
use amanuensis::model::{self, ModelFile, Source};

use crate::common::open;

/// A model on the CPU.
pub(crate) struct Bare {
    pub(crate) file: ModelFile,
    pub(crate) model: Box<dyn Model>,
}

/// What is never set.
static NEVER: AtomicBool = AtomicBool::new(false);

/// Work that nobody stops.
pub(crate) fn work() -> Work<'static> {
    Work::new(&NEVER)
}

impl Bare {
    pub(crate) fn open(folder: &Path) -> Self {
        let file = model::open(&Source::Path(folder.to_owned())).unwrap_or_else(|error| panic!("{error}"));
        let model = Cpu::new(None, ComputeType::F32).load(&file).unwrap_or_else(|error| panic!("{error}"));
        Bare { file, model }
    }

    /// The first window of a sound, and how many frames of it are sound.
    pub(crate) fn first_window(&self, path: &Path, convention: Convention) -> (Mel, u64) {
        let recording = open(path);
        let mut go_on = || Ok::<(), amanuensis::Error>(());
        let bins = self.file.dims.mel_bins;
        let spectrogram =
            Spectrogram::new(&recording, bins, convention, Crew::ALONE, &mut go_on).expect("a spectrogram");
        let frames = spectrogram.content_frames().min(WINDOW_FRAMES as u64);
        (spectrogram.window(0, WINDOW_FRAMES, WINDOW_FRAMES).expect("a window"), frames)
    }

    /// What is asked for: what was said in `language`.
    pub(crate) fn request(&self, language: &str, timestamps: bool) -> Request {
        let special = self.file.tokenizer.special();
        Request { language: special.language_token(language), task: special.transcribe, timestamps }
    }

    /// Decodes the only window of `decoding`, greedily.
    pub(crate) fn decode(&self, decoding: &mut dyn Decoding, language: &str, timestamps: bool) -> Decoded {
        let (tokenizer, generation) = (&self.file.tokenizer, &self.file.generation);
        let special = tokenizer.special();
        let prompt = Prompt::new(special, self.request(language, timestamps), &[], &[], self.file.dims.text_context);
        let rules = decoding::Rules::new(generation.suppress_tokens.clone(), generation.begin_suppress_tokens.clone());
        let rules = if timestamps { rules.with_timestamps(special, 50) } else { rules };
        let search = Search { temperatures: vec![0.0], stop_loops: false, ..Search::default() };
        let thresholds = Thresholds::default();
        let (prompt, rules, search, thresholds) = (&prompt, &rules, &search, &thresholds);
        let item =
            Item { window: 0, prompt, rules, search, thresholds, resort: Resort::Last, place: 0, cancel: &NEVER };
        decoding::decode(decoding, &[item], tokenizer, &mut work()).expect("tokens").remove(0)
    }
}
