//! The report itself: a page for people, and the same for programs.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use serde::Serialize;
use serde_json::Value;

use super::findings::{Compared, Findings};
use super::table::{self, Row};
use crate::page::plain;

/// What programs read.
#[derive(Serialize)]
struct Whole<'a> {
    #[serde(flatten)]
    findings: &'a Findings,
    table: &'a [Row],
}

/// Writes `report.md` and `report.json`. It is done again after every part, so that what was found is there whatever comes.
pub(super) fn write(findings: &Findings, out: &Path) -> Result<()> {
    let rows = table::rows(findings);
    let put = |name: &str, text: String| {
        let path = out.join(name);
        fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))
    };
    put("report.json", serde_json::to_string_pretty(&Whole { findings, table: &rows })?)?;
    put("report.md", markdown(findings, &rows))
}

fn markdown(findings: &Findings, rows: &[Row]) -> String {
    let Findings { commit, version, device, seconds, .. } = findings;
    let mut text = format!("# Report of {device}\n\nCommit {commit}, {version}; {seconds:.0} s so far.\n");
    if findings.debug {
        text += "\n**The program is one for debugging: its times say little.**\n";
    }
    text += "\n## Devices\n\n";
    text += &devices(findings);
    text += "\n## Parts\n\n| part | outcome | time |\n|---|---|---|\n";
    for part in &findings.parts {
        text += &format!("| {} | {} | {:.1} s |\n", part.name, plain(&part.outcome.text()), part.seconds);
    }
    text += "\n## Tests\n\n";
    text += &tests(findings);
    text += "\n## Transcripts beside those of the CPU in f32\n\n";
    text += &texts(findings);
    text += "\n## Figures\n\n";
    if !findings.models.is_empty() {
        text +=
            "Weights are random, at the published shapes. Medians; every window is given 100 tokens by everybody.\n\n";
    }
    text += &table::markdown(rows, device);
    text += &circumstances(findings);
    text
}

fn devices(findings: &Findings) -> String {
    let Some(found) = &findings.devices else { return "Not known.\n".to_owned() };
    let mut lines = Vec::new();
    lines.push(format!("- cpu: {}", found["cpu"]["model"].as_str().unwrap_or("of unknown name")));
    let gpus = found["cuda"]["devices"].as_array().map_or(&[][..], Vec::as_slice);
    for gpu in gpus {
        let text = |name: &str| gpu[name].as_str().unwrap_or("?").to_owned();
        let memory = gpu["memory_bytes"].as_f64().unwrap_or(0.0) / 1e9;
        lines.push(format!(
            "- cuda: {}, {}, {memory:.0} GB, driver for CUDA {}",
            text("name"),
            text("target"),
            text("cuda")
        ));
        lines.extend(gpu["missing"].as_str().map(|missing| format!("- it cannot be used: {missing}")));
    }
    lines.extend(found["cuda"]["missing"].as_str().map(|missing| format!("- cuda: {missing}")));
    lines.join("\n") + "\n"
}

fn tests(findings: &Findings) -> String {
    let mut text = match &findings.tests {
        None => "Not run to their end.\n".to_owned(),
        Some(tests) => {
            let mut text = format!("{} passed, {} failed.\n", tests.passed, tests.failed.len());
            text += &tests.failed.iter().map(|name| format!("- failed: {name}\n")).collect::<String>();
            if let Some(reason) = &tests.without_gpu {
                text += &format!("- **not on a GPU**: {reason}\n");
            }
            text
        }
    };
    for (tool, sum) in &findings.sanitizer {
        text += &format!("- compute-sanitizer, {tool}: {sum}\n");
    }
    text
}

fn texts(findings: &Findings) -> String {
    if findings.texts.is_empty() {
        return "Not compared.\n".to_owned();
    }
    let mut text =
        "| model | sample | device of the receipt | tokens | that differ | text |\n|---|---|---|---|---|---|\n"
            .to_owned();
    for compared in &findings.texts {
        let same = if compared.same_text { "the same" } else { "**another**" };
        text += &format!(
            "| {} | {} | {} | {} | {} | {same} |\n",
            compared.model,
            compared.sample,
            plain(&compared.device),
            compared.tokens,
            compared.differences
        );
    }
    let sum = |of: fn(&Compared) -> usize| findings.texts.iter().map(of).sum::<usize>();
    let (tokens, differences) = (sum(|compared| compared.tokens), sum(|compared| compared.differences));
    text + &format!("\n{differences} of {tokens} tokens differ; the goal is none.\n")
}

/// What is to be known of the figures: roofs, versions of peers, memory.
fn circumstances(findings: &Findings) -> String {
    let mut lines = Vec::new();
    for (model, runs) in &findings.bench {
        for run in runs {
            let roofs = &run["roofs"];
            if let Some((operations, bytes)) =
                roofs["operations_per_second"].as_f64().zip(roofs["bytes_per_second"].as_f64())
            {
                lines.push(format!(
                    "- roofs beside {model}: {:.1} T operations a second in f16, {:.2} TB/s read and written",
                    operations / 1e12,
                    bytes / 1e12
                ));
            }
            lines.extend(
                run["roofs_missing"].as_str().map(|reason| format!("- roofs beside {model}: not measured: {reason}")),
            );
            lines.extend(run["device"].as_str().map(|device| format!("- {model} on {device}")));
        }
    }
    let versions = |line: &Value| Some(format!("- {} {}", line["peer"].as_str()?, line["version"].as_str()?));
    lines.extend(findings.peers.iter().filter_map(versions));
    let mut said = BTreeSet::new();
    lines.retain(|line| said.insert(line.clone()));
    if lines.is_empty() { String::new() } else { format!("\n{}\n", lines.join("\n")) }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::gpu_report::findings::Tests;
    use crate::gpu_report::parts::{Outcome, Part};

    #[test]
    fn nothing_makes_a_report_that_says_so() {
        let folder = tempfile::tempdir().unwrap();
        write(&Findings { device: "cuda".to_owned(), ..Findings::default() }, folder.path()).unwrap();
        let text = fs::read_to_string(folder.path().join("report.md")).unwrap();
        for said in
            ["# Report of cuda", "Not known.", "Not run to their end.", "Not compared.", "Nothing was measured."]
        {
            assert!(text.contains(said), "{said}: {text}");
        }
        let json: Value =
            serde_json::from_str(&fs::read_to_string(folder.path().join("report.json")).unwrap()).unwrap();
        assert_eq!((&json["table"], &json["device"]), (&json!([]), &json!("cuda")));
    }

    #[test]
    fn half_a_report_has_what_there_is() {
        let part = |name: &str, outcome| Part { name: name.to_owned(), outcome, seconds: 1.0 };
        let findings = Findings {
            device: "cuda".to_owned(),
            debug: true,
            devices: Some(json!({"cpu": {"model": "A"}, "cuda": {"devices": [{"name": "G", "target": "sm_90"}]}})),
            parts: vec![part("devices", Outcome::Done), part("tests", Outcome::Failed("a | b".to_owned()))],
            tests: Some(Tests { passed: 3, failed: vec!["x::y".to_owned()], without_gpu: Some("no GPU".to_owned()) }),
            sanitizer: [("memcheck".to_owned(), "ERROR SUMMARY: 0 errors".to_owned())].into(),
            texts: vec![Compared {
                model: "demo".to_owned(),
                sample: "english.wav".to_owned(),
                device: "cuda (G, sm_90)".to_owned(),
                tokens: 11,
                differences: 1,
                same_text: true,
            }],
            bench: [("base".to_owned(), vec![json!({"roofs_missing": "no memory"})])].into(),
            ..Findings::default()
        };
        let text = markdown(&findings, &[]);
        for said in [
            "one for debugging",
            "- cuda: G, sm_90, 0 GB, driver for CUDA ?",
            "| tests | failed: a / b | 1.0 s |",
            "3 passed, 1 failed.\n- failed: x::y\n- **not on a GPU**: no GPU\n- compute-sanitizer, memcheck: ERROR SUMMARY: 0 errors",
            "| demo | english.wav | cuda (G, sm_90) | 11 | 1 | the same |",
            "1 of 11 tokens differ",
            "- roofs beside base: not measured: no memory",
        ] {
            assert!(text.contains(said), "{said}: {text}");
        }
        assert!(!findings.is_whole());
    }
}
