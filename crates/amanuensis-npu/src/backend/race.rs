//! Whether a model is quicker with the NPU: a window's time on it and on the CPU alone, measured here once and kept.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

use amanuensis::backend::{Model, Work};
use amanuensis::mel::Mel;
use amanuensis::model::Dims;
use serde::{Deserialize, Serialize};

use super::layers::Stop;
use super::model::Bench;

/// Bytes of a file of times, at most: a thousand models have less.
const MOST_BYTES: u64 = 1 << 20;

/// Seconds that a window of the model's whole context takes.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Times {
    /// With the NPU.
    pub npu: f64,
    /// On the CPU alone.
    pub cpu: f64,
}

impl Times {
    /// Why the NPU is not worth it, if it is not.
    pub(super) fn objection(self) -> Option<String> {
        let Times { npu, cpu } = self;
        let slower = npu.is_nan() || npu >= cpu;
        slower.then(|| format!("the CPU is quicker here: a window takes it {cpu:.3} s, and {npu:.3} s with the NPU"))
    }
}

/// Whose times they are: another processor, device, pack, model or setting has others.
#[derive(Debug)]
pub(super) struct Racers<'a> {
    pub(super) device: &'a str,
    pub(super) pack: &'a str,
    /// The CPU as receipts name it, with its kernels and threads.
    pub(super) cpu: &'a str,
    pub(super) dims: &'a Dims,
}

impl Racers<'_> {
    fn name(&self, root: &Path) -> String {
        let processors = fs::read_to_string(root.join("proc/cpuinfo")).unwrap_or_default();
        let model = processors.lines().find_map(|line| line.strip_prefix("model name")).unwrap_or_default();
        let model = model.trim_start_matches(['\t', ' ', ':']);
        let Dims { audio_layers, audio_width, audio_context, mel_bins, .. } = self.dims;
        format!(
            "{}, pack {}; {model}, {}; {audio_layers} layers of {audio_width}, {audio_context} positions, {mel_bins} bands",
            self.device, self.pack, self.cpu
        )
    }

    /// Their times: those that are kept in a file, or measured, and kept there. A file that cannot be written costs the next
    /// one the same measurement, and is no failure.
    pub(super) fn times(
        &self,
        root: &Path,
        kept: Option<&Path>,
        bench: &mut Bench,
        cpu: &dyn Model,
    ) -> Result<Times, Stop> {
        let name = self.name(root);
        let mut all = kept.map(read).unwrap_or_default();
        if let Some(times) = all.get(&name) {
            return Ok(*times);
        }
        let times = measure(bench, cpu, self.cpu)?;
        all.insert(name, times);
        if let Some(path) = kept {
            let _ = write(path, &all);
        }
        Ok(times)
    }
}

/// A window of silence on each, once for what is done only once and once for its time.
fn measure(bench: &mut Bench, cpu: &dyn Model, cpu_name: &str) -> Result<Times, Stop> {
    let Dims { mel_bins: bins, audio_context, .. } = *cpu.dims();
    let frames = 2 * audio_context;
    let windows = [Mel { bins, frames, values: vec![0.0; bins * frames] }];
    let never = AtomicBool::new(false);
    let timed = |run: &mut dyn FnMut(&mut Work<'_>) -> Result<(), Stop>| -> Result<f64, Stop> {
        let mut took = Duration::ZERO;
        for _ in 0..2 {
            let began = Instant::now();
            run(&mut Work::new(&never))?;
            took = began.elapsed();
        }
        // Whole microseconds are few digits, which a file gives back to the last bit.
        Ok(took.as_micros() as f64 / 1e6)
    };
    let Bench { multiplier, encoder, team, .. } = bench;
    let npu = timed(&mut |work| encoder.run(multiplier, team, &windows, cpu_name, work).map(drop))?;
    let cpu = timed(&mut |work| Ok(cpu.encode(&windows, work).map(drop)?))?;
    Ok(Times { npu, cpu })
}

/// The times in a file; none where there is no such file, or another.
fn read(path: &Path) -> BTreeMap<String, Times> {
    let small = fs::metadata(path).is_ok_and(|about| about.is_file() && about.len() <= MOST_BYTES);
    let text = if small { fs::read_to_string(path).unwrap_or_default() } else { String::new() };
    serde_json::from_str(&text).unwrap_or_default()
}

/// Puts the whole file there, or nothing of it.
fn write(path: &Path, all: &BTreeMap<String, Times>) -> std::io::Result<()> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    let beside = path.with_extension(format!("{}.tmp", std::process::id()));
    fs::write(&beside, serde_json::to_string_pretty(all)?)?;
    fs::rename(&beside, path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_is_not_quicker_is_told_why() {
        assert_eq!(Times { npu: 0.1, cpu: 0.2 }.objection(), None);
        for (npu, cpu) in [(0.2, 0.1), (0.1, 0.1), (f64::NAN, 0.1)] {
            assert!(Times { npu, cpu }.objection().is_some_and(|why| why.contains("the CPU is quicker")));
        }
    }

    #[test]
    fn times_are_read_as_they_were_written_and_damage_is_as_good_as_nothing() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("new/times.json");
        assert!(read(&path).is_empty());
        let all = BTreeMap::from([("a".to_owned(), Times { npu: 0.25, cpu: 0.5 })]);
        write(&path, &all).expect("written");
        assert_eq!(read(&path), all);
        for damaged in ["", "{", r#"{"a": {"npu": 1}}"#, "[]"] {
            fs::write(&path, damaged).expect("written");
            assert!(read(&path).is_empty(), "{damaged}");
        }
    }
}
