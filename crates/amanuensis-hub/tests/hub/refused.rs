//! What is not to be had, and what is not to be trusted.

use serde_json::json;

use super::played::Fault;
use super::*;

#[test]
fn what_is_closed_is_explained() {
    for (gate, without, with) in [
        (
            (401, "RepoNotFound", "right"),
            "or is private; if it is yours to use, make a token",
            "its account has no access",
        ),
        ((403, "GatedRepo", "right"), "is gated: accept its terms on", "its account has no access"),
        ((401, "", "right"), "set HF_TOKEN, or run `hf auth login`", "refuses openai/whisper-base (401: played)"),
        ((403, "", "right"), "refuses openai/whisper-base (403: played)", "hf auth whoami"),
    ] {
        let mut stage = Stage::new();
        stage.played.change(BASE, |repository| repository.gate = Some(gate));
        let error = stage.error();
        assert!(error.contains(without), "{gate:?}: {error}");
        with_token(&mut stage, "hf_wrong");
        let error = stage.error();
        assert!(error.contains(with) && !error.contains("hf_wrong"), "{gate:?}: {error}");
        // It is asked once: it would be the same again.
        assert_eq!(stage.played.connections(), 2);
        with_token(&mut stage, "right");
        stage.pull().unwrap();
    }
}

#[test]
fn what_does_not_exist_is_named() {
    let stage = Stage::new();
    let pull = |name: &str| stage.pull_as(name, &Wanted::default()).unwrap_err().to_string();
    assert!(pull("a/b").contains("a/b is not on http://127.0.0.1"), "{}", pull("a/b"));
    assert!(pull("base@v9").contains("openai/whisper-base has no revision \"v9\""), "{}", pull("base@v9"));
    stage.played.change(BASE, |repository| repository.files.retain(|name, _| !name.starts_with("model")));
    assert!(stage.error().contains("there is only pytorch_model.bin"), "{}", stage.error());
    stage.played.change(BASE, |repository| repository.files.clear());
    assert!(stage.error().contains("no weights in a form that is read"), "{}", stage.error());
}

#[test]
fn names_that_lead_out_of_the_cache_end_it() {
    for name in ["../../../evil", "/evil", "a\\..\\evil", "snapshots/../../evil", "evil\0.json"] {
        let stage = Stage::new();
        stage.played.change(BASE, |repository| repository.more_siblings = vec![json!({"rfilename": name, "size": 1})]);
        let error = stage.error();
        assert!(error.contains("its list of files names") && error.contains("nothing is fetched"), "{error}");
        assert_eq!(stage.played.connections(), 1);
        assert_eq!(fs::read_dir(stage.folder.path()).unwrap().count(), 0);
    }
}

#[test]
fn sizes_that_no_model_has_are_refused_before_anything_comes() {
    for (file, size, limit) in [
        ("model.safetensors", 1_u64 << 45, "34359738368"),
        ("tokenizer.json", 1 << 30, "67108864"),
        ("model.safetensors", (1 << 35) - 1, "are free"),
    ] {
        let stage = Stage::new();
        stage.played.change(BASE, |repository| {
            repository.files.remove(file);
            let blob = "ab".repeat(20);
            repository.more_siblings = vec![json!({"rfilename": file, "size": size, "blobId": blob})];
        });
        // Where the disk is larger than the largest file, the room is there and the file is not.
        let error = stage.error();
        assert!(error.contains(limit) || error.contains("but not there"), "{file}: {error}");
        if limit != "are free" {
            assert_eq!(stage.played.connections(), 1, "{file}");
        }
    }
}

#[test]
fn indexes_that_name_what_is_not_in_the_list_are_refused() {
    let stage = Stage::empty();
    stage.played.add_files(
        BASE,
        &[
            ("config.json", b"{}"),
            ("tokenizer.json", b"{}"),
            ("model.safetensors.index.json", br#"{"weight_map": {"a": "../../../../evil"}}"#),
        ],
    );
    assert!(stage.error().contains("names \"../../../../evil\", which is not there"), "{}", stage.error());
    assert_eq!(stage.hub().find(BASE).unwrap(), None);
}

#[test]
fn answers_that_are_no_hub_s_are_said_to_be_none() {
    for (lead, word) in
        [("file:///etc/passwd", "no address"), ("/api/models/openai/whisper-base/revision/main", "more than 8 times")]
    {
        let stage = Stage::new();
        stage.played.fail("/api/", Fault::Lead(lead.to_owned()), 99);
        assert!(stage.error().contains(word), "{}", stage.error());
    }
    // A page of a hotel's network.
    let stage = Stage::new();
    stage.played.fail("/api/", Fault::Lead(format!("{}/{BASE}/resolve/main/README.md", stage.played.endpoint)), 1);
    let error = stage.error();
    assert!(error.contains("expected value") && error.contains("HF_ENDPOINT"), "{error}");
}

#[test]
fn certificates_that_are_none_are_named() {
    let mut stage = Stage::new();
    stage.settings.endpoint = "https://127.0.0.1:1".to_owned();
    let error = stage.error();
    assert!(error.contains("https://127.0.0.1:1/api") && error.contains("no connection"), "{error}");
    stage.settings.certificates = Some("/no/such/file".into());
    assert!(stage.error().contains("/no/such/file: cannot read certificates"), "{}", stage.error());
    let none = stage.folder.path().join("none.pem");
    fs::write(&none, "").unwrap();
    stage.settings.certificates = Some(none);
    assert!(stage.error().contains("no certificate in it"), "{}", stage.error());
}
