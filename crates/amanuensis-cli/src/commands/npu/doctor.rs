//! `npu doctor`: whether there is an NPU that can be used, and what to do if not.

use std::path::Path;

use amanuensis_npu::doctor::{Options, Outcome, Report, Sweep, examine};
use amanuensis_npu::driver::Device;

use super::{Stop, print_text};
use crate::args::NpuDoctor;
use crate::console::{self, say};

pub(super) fn run(asked: &NpuDoctor) -> Result<u8, Stop> {
    let packs = asked.folder.path();
    let report = match &asked.root {
        // What is below another root is not what the node of this system answers for.
        Some(root) => {
            if !root.is_dir() {
                return Err(Stop::Usage(format!("{} is no folder", root.display())));
            }
            examine(&Options { root, packs: &packs, open: None, canary: None, sweep: None })
        }
        None => this_machine(&packs, None),
    };
    if asked.json {
        console::print(format_args!("{}", report.to_json()))?;
    } else {
        print_text(&report.to_string())?;
    }
    Ok(report.exit_code())
}

/// Examines this machine to the end, with a canary.
pub(super) fn this_machine(packs: &Path, sweep: Option<Sweep<'_>>) -> Report {
    let canary = &super::device::canary;
    examine(&Options { root: Path::new("/"), packs, open: Some(&Device::open), canary: Some(canary), sweep })
}

/// Says on standard error why there is nothing to be done on a device, and what to do about that.
pub(super) fn explain(report: &Report) {
    say!("{}", report.summary);
    let broken = report.checks.iter().find(|check| matches!(check.outcome, Outcome::Failed | Outcome::Skipped));
    if let Some(remedy) = broken.and_then(|check| check.remedy.as_deref()) {
        say!("{remedy}");
    }
}
