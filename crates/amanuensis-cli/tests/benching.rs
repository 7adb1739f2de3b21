//! `bench` from outside, with the model the program carries. What is told is looked at, not how fast it was.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::process::{Command, Output, Stdio};

use serde_json::Value;

fn bench(words: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_amanuensis"));
    command.stdin(Stdio::null()).env_remove("AMANUENSIS_ISA").arg("bench").args(words).output().unwrap()
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap()
}

fn json(words: &[&str]) -> Value {
    let output = bench(words);
    assert_eq!(output.status.code(), Some(0), "{words:?}: {}", text(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

fn keys(object: &Value) -> Vec<&str> {
    object.as_object().unwrap().keys().map(String::as_str).collect()
}

#[test]
fn a_model_is_measured_by_the_pieces_asked_for() {
    let flags = ["--model", "demo", "--threads", "1", "--iterations", "1", "--only", "window,encoder", "--json"];
    let flags = [&flags[..], &["--compute-type", "int8"]].concat();
    let report = json(&flags);
    assert_eq!((report["model"].as_str(), report["threads"].as_u64()), (Some("demo"), Some(1)));
    assert!(report["device"].as_str().unwrap().contains(" kernels, int8, 1 thread"), "{report}");
    assert_eq!(report["compute_type"], "int8");
    assert_eq!(keys(&report["measures"]), ["encoder", "window"]);
    for measure in ["encoder", "window"] {
        let measure = &report["measures"][measure];
        assert_eq!((&measure["iterations"], &measure["consistency"]), (&1.into(), &100.0.into()));
        assert_eq!(measure["deviation_seconds"], 0.0);
        for figure in ["median_seconds", "mean_seconds", "min_seconds", "max_seconds"] {
            assert!(measure[figure].as_f64().unwrap() > 0.0, "{figure}");
        }
    }
    assert_eq!(keys(&report["realtime"]), ["window"]);
    assert_eq!(keys(&report["tokens_per_second"]), [""; 0]);
    assert!(report["wall_seconds"].as_f64().unwrap() > 0.0);
    for figure in ["cpu_seconds", "cpu_share", "peak_memory_bytes"] {
        assert_eq!(report[figure].is_number(), cfg!(target_os = "linux"), "{figure}");
    }
}

#[test]
fn every_piece_of_work_can_be_done() {
    // All but those of more windows, which are the same ways.
    let only = "load,mel,encoder,cross_keys_values,decode_step,decode_step_batch4,decode_step_batch8,greedy_step,\
                greedy_step_batch8,first_token,window,window_beam5,long";
    let flags = ["--model", "demo", "--iterations", "1", "--minutes", "1", "--together", "2", "--only", only];
    let all = bench(&flags);
    assert_eq!(all.status.code(), Some(0), "{}", text(&all.stderr));
    let names: Vec<&str> = text(&all.stdout).lines().filter_map(|line| line.split(' ').next()).collect();
    let expected = [
        "demo",
        "ms",
        "load",
        "mel",
        "encoder",
        "cross_keys_values",
        "decode_step",
        "decode_step_batch4",
        "decode_step_batch8",
        "greedy_step",
        "greedy_step_batch8",
        "first_token",
        "window",
        "window_beam5",
        "long",
        "tokens",
        "realtime:",
    ];
    assert_eq!(names[..expected.len()], expected, "{}", text(&all.stdout));
}

#[test]
fn the_long_piece_is_as_long_as_was_asked_for() {
    let report = json(&[
        "--model",
        "demo",
        "--iterations",
        "1",
        "--only",
        "long",
        "--minutes",
        "1",
        "--together",
        "2",
        "--json",
    ]);
    assert_eq!((&report["long"]["minutes"], &report["long"]["together"]), (&1.into(), &2.into()));
    let (seconds, realtime) = (&report["measures"]["long"]["median_seconds"], &report["realtime"]["long"]);
    assert!((seconds.as_f64().unwrap() * realtime.as_f64().unwrap() - 60.0).abs() < 1e-6, "{report}");
    // Roofs and a clock of its own are a GPU's.
    assert!(report.get("roofs").is_none() && report.get("device_measures").is_none(), "{report}");
}

#[test]
fn kernels_stand_beside_their_roofs() {
    let report = json(&["kernels", "--only", "pointwise,team", "--threads", "1", "--json"]);
    assert_eq!(report["threads"], 1);
    let roofs: Vec<&str> =
        report["roofs"].as_array().unwrap().iter().map(|roof| roof["name"].as_str().unwrap()).collect();
    assert_eq!(roofs[..2], ["multiply-add, f32", "dot product, int8"]);
    assert!(roofs.len() > 2 && roofs[2..].iter().all(|name| name.starts_with("read ")), "{roofs:?}");
    let operations = report["operations"].as_array().unwrap();
    for operation in operations {
        assert_eq!(operation["isa"], report["isa"], "{operation}");
        assert!(operation["best_seconds"].as_f64() <= operation["median_seconds"].as_f64(), "{operation}");
        let has_work = operation["group"] == "pointwise";
        assert_eq!(operation["roof"].is_string(), has_work, "{operation}");
        assert_eq!(operation["share_of_roof"].as_f64().is_some_and(|share| share > 0.0), has_work, "{operation}");
    }
    assert_eq!(operations.last().unwrap()["group"], "team");
}

#[test]
fn what_cannot_be_measured_is_refused_with_what_can() {
    for (words, name, known) in [
        (&["--only", "encoder,encoderr"][..], "encoderr", "decode_step_batch8"),
        (&["kernels", "--only", "gemm"], "gemm", "linear_few_rows"),
        (&["--iterations", "0"], "0", "--iterations"),
        (&["--minutes", "0"], "0", "--minutes"),
        (&["nothing"], "nothing", "Usage"),
    ] {
        let output = bench(words);
        assert_eq!((output.status.code(), text(&output.stdout)), (Some(2), ""), "{words:?}");
        let message = text(&output.stderr);
        assert!(message.contains(name) && message.contains(known), "{words:?}: {message}");
    }
}
