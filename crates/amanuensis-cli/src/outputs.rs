//! The files a run writes: what they are called, decided before any work, and how they come to be, whole or not at all.

use std::collections::{BTreeSet, HashMap};
use std::ffi::OsString;
use std::fs;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use amanuensis::segments::Transcript;
use amanuensis::text::{Captions, Format, Writing};
use anyhow::{Context, bail};

use crate::args::{Files, Looks};
use crate::console::say;
use crate::values::Formats;

/// The name on the command line for standard input, and for standard output as a folder.
pub(crate) const STANDARD_STREAM: &str = "-";

/// What the names of files begin with that are not whole yet.
const PASSING: &str = ".amanuensis-";

/// What is written of one input.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Target {
    /// No file.
    Nothing,
    /// One format, to standard output.
    StandardOutput(Format),
    /// A file for each format.
    Files(Vec<(Format, PathBuf)>),
}

impl Target {
    fn formats(&self) -> Vec<Format> {
        match self {
            Target::Nothing => Vec::new(),
            Target::StandardOutput(format) => vec![*format],
            Target::Files(files) => files.iter().map(|(format, _)| *format).collect(),
        }
    }

    /// Whether JSON is written, which says how the transcript came about.
    pub(crate) fn has_json(&self) -> bool {
        self.formats().contains(&Format::Json)
    }

    /// Whether a format is written that is laid out in cues.
    pub(crate) fn has_subtitles(&self) -> bool {
        self.formats().iter().any(|format| matches!(format, Format::Srt | Format::Vtt | Format::Ass))
    }
}

/// How the targets are written. What was asked for in vain is told.
pub(crate) fn writing(looks: &Looks, targets: &[Target]) -> Writing {
    let captions = Captions {
        max_line_width: looks.max_line_width.0,
        max_line_count: looks.max_line_count.0,
        max_words_per_line: looks.max_words_per_line.0,
        highlight_words: looks.highlight_words,
        sentences: looks.sentences,
        max_chars_per_second: looks.max_chars_per_second.0,
        balance: looks.balance,
    };
    let writing = Writing { captions, dialect: looks.json_dialect };
    if !targets.iter().any(Target::has_subtitles) {
        if writing.captions != Captions::default() {
            say!("warning: no subtitles are written (srt, vtt, ass), so that how they look has no effect");
        }
    } else {
        for warning in writing.captions.warnings() {
            say!("warning: {warning}");
        }
    }
    let has_json = targets.iter().any(Target::has_json);
    if writing.dialect != Writing::default().dialect && !has_json {
        say!("warning: no JSON is written, so that --json-dialect has no effect");
    }
    writing
}

/// Refuses a layout of words where the words will have no times: that is to be known before the work, not after it.
///
/// # Errors
/// A sentence for the user that names the flag.
pub(crate) fn refuse_without_words(writing: &Writing, targets: &[Target], has_words: bool) -> Result<(), String> {
    match writing.captions.needs_words() {
        Some(setting) if !has_words && targets.iter().any(Target::has_subtitles) => {
            let flag = setting.replace('_', "-");
            let way_out = match setting {
                "highlight_words" => "",
                _ => "; --sentences and --balance lay text out without them",
            };
            Err(format!("--{flag} needs the times of words, which --word-timestamps True asks for{way_out}"))
        }
        _ => Ok(()),
    }
}

/// What is written of each input, in the order of the inputs.
///
/// # Errors
/// A sentence for the user when two inputs would write one file, or an input would be overwritten.
pub(crate) fn plan(inputs: &[PathBuf], output: &Files) -> Result<Vec<Target>, String> {
    if inputs.iter().filter(|input| input.as_os_str() == STANDARD_STREAM).count() > 1 {
        return Err("standard input (`-`) can be read only once".to_owned());
    }
    if output.output_dir.is_none() && output.output_format.is_empty() {
        return Ok(vec![Target::Nothing; inputs.len()]);
    }
    let formats = formats(&output.output_format);
    let folder = output.output_dir.clone().unwrap_or_else(|| PathBuf::from("."));
    if folder.as_os_str() == STANDARD_STREAM {
        return match (formats.as_slice(), inputs) {
            ([format], [_]) => Ok(vec![Target::StandardOutput(*format)]),
            _ => {
                Err("standard output (`--output-dir -`) takes one format of one input: name it with --output-format, \
                      for example `-f srt -o -`"
                    .to_owned())
            }
        };
    }
    let mut writers: HashMap<OsString, &Path> = HashMap::new();
    for input in inputs {
        let stem = stem(input)?;
        if let Some(other) = writers.insert(as_the_file_system_compares(&stem), input) {
            return Err(format!(
                "{} and {} would both write {}; rename one, or give them different --output-dir in two runs",
                other.display(),
                input.display(),
                path(&folder, &stem, formats[0]).display(),
            ));
        }
    }
    let target = |input: &PathBuf| {
        let stem = stem(input)?;
        Ok(Target::Files(formats.iter().map(|format| (*format, path(&folder, &stem, *format))).collect()))
    };
    let targets: Vec<Target> = inputs.iter().map(target).collect::<Result<_, String>>()?;
    spare_the_inputs(inputs, &targets)?;
    Ok(targets)
}

/// The formats asked for, each once, in the order asked for; all when none was named.
fn formats(asked: &[Formats]) -> Vec<Format> {
    let mut formats: Vec<Format> = Vec::new();
    for format in asked.iter().flat_map(|Formats(some)| some) {
        if !formats.contains(format) {
            formats.push(*format);
        }
    }
    if formats.is_empty() { Format::ALL.to_vec() } else { formats }
}

/// The name of an input without its folder and without what follows the last point.
fn stem(input: &Path) -> Result<OsString, String> {
    if input.as_os_str() == STANDARD_STREAM {
        return Ok("stdin".into());
    }
    let stem = input.file_stem().map(ToOwned::to_owned);
    stem.ok_or_else(|| format!("{} is not the name of a file", input.display()))
}

fn path(folder: &Path, stem: &OsString, format: Format) -> PathBuf {
    let mut name = stem.clone();
    name.push(".");
    name.push(format.extension());
    if folder == Path::new(".") { PathBuf::from(name) } else { folder.join(name) }
}

/// Where capitals do not tell files apart, neither do they here.
fn as_the_file_system_compares(stem: &OsString) -> OsString {
    if cfg!(any(windows, target_os = "macos")) { stem.to_string_lossy().to_lowercase().into() } else { stem.clone() }
}

fn spare_the_inputs(inputs: &[PathBuf], targets: &[Target]) -> Result<(), String> {
    let real: Vec<PathBuf> = inputs.iter().filter_map(|input| fs::canonicalize(input).ok()).collect();
    for target in targets {
        let Target::Files(files) = target else { continue };
        for (_, path) in files {
            if fs::canonicalize(path).is_ok_and(|path| real.contains(&path)) {
                return Err(format!(
                    "{} is an input and would be overwritten; give another --output-dir",
                    path.display()
                ));
            }
        }
    }
    Ok(())
}

/// Makes the folders that the targets lie in and tries each with a passing file: a folder that refuses files is to be
/// known before hours of work, not after them.
pub(crate) fn prepare(targets: &[Target]) -> anyhow::Result<()> {
    let mut folders = BTreeSet::new();
    for target in targets {
        let Target::Files(files) = target else { continue };
        for (_, path) in files {
            if path.is_dir() {
                bail!("cannot write {}: there is a folder of this name", path.display());
            }
            folders.insert(folder_of(path));
        }
    }
    for folder in folders {
        fs::create_dir_all(folder).with_context(|| format!("cannot make the folder {}", folder.display()))?;
        let tried = tempfile::Builder::new().prefix(PASSING).tempfile_in(folder);
        tried.with_context(|| format!("cannot write into the folder {}", folder.display()))?;
    }
    Ok(())
}

fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// Writes every file, each under a passing name first: a reader sees the old file or the whole new one, and none of
/// them appears before all are written.
pub(crate) fn write_files(
    files: &[(Format, PathBuf)],
    transcript: &Transcript,
    writing: &Writing,
) -> anyhow::Result<()> {
    let mut written = Vec::new();
    for (format, path) in files {
        let file = write_beside(path, *format, transcript, writing);
        written.push((file.with_context(|| format!("cannot write {}", path.display()))?, path));
    }
    for (file, path) in written {
        file.persist(path).with_context(|| format!("cannot write {}", path.display()))?;
    }
    Ok(())
}

fn write_beside(
    path: &Path,
    format: Format,
    transcript: &Transcript,
    writing: &Writing,
) -> io::Result<tempfile::NamedTempFile> {
    let folder = folder_of(path);
    let mut builder = tempfile::Builder::new();
    builder.prefix(PASSING);
    readable_as_any_new_file(&mut builder);
    let mut file = BufWriter::new(builder.tempfile_in(folder)?);
    writing.write(format, transcript, &mut file)?;
    file.flush()?;
    file.into_inner().map_err(io::IntoInnerError::into_error)
}

/// A temporary file is its owner's alone; what it becomes is as open as the umask says.
#[cfg(unix)]
fn readable_as_any_new_file(builder: &mut tempfile::Builder<'_, '_>) {
    use std::os::unix::fs::PermissionsExt;
    builder.permissions(fs::Permissions::from_mode(0o666));
}

#[cfg(not(unix))]
fn readable_as_any_new_file(_builder: &mut tempfile::Builder<'_, '_>) {}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan_of(inputs: &[&str], folder: Option<&str>, formats: &[&str]) -> Result<Vec<Target>, String> {
        let inputs: Vec<PathBuf> = inputs.iter().map(PathBuf::from).collect();
        let output = Files {
            output_dir: folder.map(PathBuf::from),
            output_format: formats.iter().map(|format| format.parse().unwrap()).collect(),
        };
        plan(&inputs, &output)
    }

    fn names(targets: &[Target]) -> Vec<String> {
        let files = |target: &Target| match target {
            Target::Files(files) => files.iter().map(|(_, path)| path.to_string_lossy().into_owned()).collect(),
            other => vec![format!("{other:?}")],
        };
        targets.iter().flat_map(files).collect()
    }

    #[test]
    fn a_name_is_the_inputs_without_its_last_ending() {
        let targets = plan_of(&["a/talk.final.mp3", "noending", ".hidden", "-"], Some("out"), &["srt"]).unwrap();
        assert_eq!(names(&targets), ["out/talk.final.srt", "out/noending.srt", "out/.hidden.srt", "out/stdin.srt"]);
    }

    #[test]
    fn formats_and_folder_imply_each_other() {
        assert_eq!(plan_of(&["a.wav"], None, &[]).unwrap(), [Target::Nothing]);
        assert_eq!(names(&plan_of(&["a.wav"], None, &["txt", "srt", "txt"]).unwrap()), ["a.txt", "a.srt"]);
        let all = names(&plan_of(&["a.wav"], Some("o"), &[]).unwrap());
        assert_eq!(
            all,
            ["o/a.txt", "o/a.vtt", "o/a.srt", "o/a.tsv", "o/a.json", "o/a.lrc", "o/a.csv", "o/a.ass", "o/a.aud"]
        );
        assert_eq!(plan_of(&["a.wav"], Some("-"), &["vtt"]).unwrap(), [Target::StandardOutput(Format::Vtt)]);
    }

    #[test]
    fn two_inputs_never_write_one_file() {
        let error = plan_of(&["x/a.wav", "b.wav", "y/a.mp3"], Some("o"), &["txt"]).unwrap_err();
        assert!(error.contains("x/a.wav and y/a.mp3 would both write o/a.txt"), "{error}");
        assert!(plan_of(&["stdin.wav", "-"], None, &["txt"]).is_err());
        assert!(plan_of(&["-", "-"], None, &[]).is_err());
        assert!(plan_of(&["a.wav", "a.wav"], None, &[]).is_ok());
        assert!(plan_of(&["a.wav", "b.wav"], Some("-"), &["txt"]).is_err());
        assert!(plan_of(&["a.wav"], Some("-"), &["all"]).is_err());
        assert!(plan_of(&[".."], Some("o"), &[]).is_err());
    }

    #[test]
    fn an_input_is_not_overwritten() {
        let folder = tempfile::tempdir().unwrap();
        let input = folder.path().join("talk.txt");
        fs::write(&input, "samples").unwrap();
        let error = plan_of(&[input.to_str().unwrap()], folder.path().to_str(), &["txt"]).unwrap_err();
        assert!(error.contains("is an input"), "{error}");
    }

    #[test]
    fn files_appear_whole_and_leave_nothing_beside_them() {
        let folder = tempfile::tempdir().unwrap();
        let targets = plan_of(&["a.wav"], folder.path().join("new/deep").to_str(), &["all"]).unwrap();
        prepare(&targets).unwrap();
        let transcript = Transcript { language: "en".to_owned(), ..Transcript::default() };
        let Target::Files(files) = &targets[0] else { panic!("{targets:?}") };
        write_files(files, &transcript, &Writing::default()).unwrap();
        write_files(files, &transcript, &Writing::default()).unwrap();
        let found = fs::read_dir(folder.path().join("new/deep")).unwrap();
        let mut found: Vec<_> = found.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        found.sort();
        assert_eq!(found, ["a.ass", "a.aud", "a.csv", "a.json", "a.lrc", "a.srt", "a.tsv", "a.txt", "a.vtt"]);
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            fs::write(folder.path().join("plain"), "").unwrap();
            let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode();
            assert_eq!(mode(&files[0].1), mode(&folder.path().join("plain")));
        }
    }
}
