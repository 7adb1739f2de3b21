//! `npu packs check`: whether packs are what their manifests say.

use amanuensis_npu::packs::{Pack, installed};
use amanuensis_npu::txn::{Expectations, Severity, disassemble, lint};

use super::{Stop, print_text};
use crate::args::NpuPacksCheck;

pub(super) fn run(asked: &NpuPacksCheck) -> Result<u8, Stop> {
    let folder = asked.folder.path();
    let packs = if asked.paths.is_empty() {
        installed(&folder, None)
    } else {
        asked.paths.iter().map(|path| (path.clone(), Pack::load(path, None))).collect()
    };
    if packs.is_empty() {
        return Err(Stop::Failed(anyhow::anyhow!("no packs in {}", folder.display())));
    }
    let (mut lines, mut refused) = (Vec::new(), false);
    for (path, pack) in packs {
        let says = pack.map_err(|error| error.to_string()).and_then(|pack| examined(&pack));
        refused |= says.is_err();
        let (verdict, says) = match says {
            Ok(says) => ("ok", says),
            Err(says) => ("REFUSED", says),
        };
        lines.push(format!("{verdict:<8} {}: {says}", path.display()));
    }
    print_text(&lines.join("\n"))?;
    Ok(u8::from(refused))
}

/// What a pack that loads is, if its array can exist and its sample is a stream that could run.
fn examined(pack: &Pack) -> Result<String, String> {
    pack.manifest.planned().map_err(|error| error.to_string())?;
    let sample = match &pack.sample {
        None => "no sample stream".to_owned(),
        Some(words) => {
            let stream = disassemble(words).map_err(|error| format!("the sample stream: {error}"))?;
            let arguments = u32::try_from(pack.manifest.operation.arguments.len()).ok();
            let findings = lint(&stream, &Expectations { arguments });
            if let Some(finding) = findings.iter().find(|finding| finding.severity() == Severity::Error) {
                return Err(format!("the sample stream: {finding}"));
            }
            format!("a sample stream of {} operations", stream.operations.len())
        }
    };
    let tests = pack.manifest.self_tests.len();
    Ok(format!("{}, a program of {} bytes, {sample}, {tests} self-tests", pack.manifest.name, pack.image.len()))
}
