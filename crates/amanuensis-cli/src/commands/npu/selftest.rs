//! `npu selftest`: what the pack must compute, computed by the NPU.

use amanuensis_npu::doctor::{State, Step};

use super::{Stop, device, doctor, print_text};
use crate::args::NpuSelftest;
use crate::console;

pub(super) fn run(asked: &NpuSelftest) -> Result<u8, Stop> {
    let report = doctor::this_machine(&asked.folder.path(), Some(&device::self_tests));
    if asked.json {
        console::print(format_args!("{}", report.to_json()))?;
    } else if report.state == State::Usable {
        let details = [Step::Pack, Step::Canary, Step::Sweep].into_iter().filter_map(|step| {
            let check = report.check(step)?;
            Some(format!("{:<12} {}", step.title(), check.detail))
        });
        print_text(&format!("{}\n{}", details.collect::<Vec<_>>().join("\n"), report.summary))?;
    } else {
        doctor::explain(&report);
    }
    Ok(report.exit_code())
}
