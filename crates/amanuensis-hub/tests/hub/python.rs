//! The cache is one: what Python's huggingface_hub fetched is found here, and what was fetched here is found there. Run
//! with a Python that has it: `AMANUENSIS_PYTHON=venv/bin/python cargo test -p amanuensis-hub --test hub python`.

use std::process::{Command, Output};

use amanuensis::model::Source;
use amanuensis_hub::Health;

use super::*;

/// Runs a program in the cache of a stage; nothing where there is no Python to run it.
fn python(stage: &Stage, program: &str, variables: &[(&str, &str)]) -> Option<String> {
    let Some(python) = std::env::var_os("AMANUENSIS_PYTHON") else {
        eprintln!("not run: AMANUENSIS_PYTHON is not set");
        return None;
    };
    let mut command = Command::new(python);
    command.args(["-c", program]).env("HF_HOME", stage.folder.path()).env("HF_ENDPOINT", &stage.played.endpoint);
    for name in ["HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE", "HF_HUB_OFFLINE", "HF_TOKEN"] {
        command.env_remove(name);
    }
    let Output { status, stdout, stderr } = command.envs(variables.iter().copied()).output().unwrap();
    assert!(status.success(), "{}", String::from_utf8_lossy(&stderr));
    Some(String::from_utf8(stdout).unwrap())
}

#[test]
fn what_is_fetched_here_python_finds() {
    for without_links in [false, true] {
        let mut stage = Stage::new();
        stage.settings.without_links = without_links;
        stage.pull().unwrap();
        let asked = stage.played.seen_of(BASE).len();
        let found = python(
            &stage,
            "from huggingface_hub import hf_hub_download, snapshot_download, scan_cache_dir\n\
             print(hf_hub_download('openai/whisper-base', 'model.safetensors', local_files_only=True))\n\
             print(snapshot_download('openai/whisper-base', local_files_only=True))\n\
             info = scan_cache_dir()\n\
             print(len(info.warnings), [(r.repo_id, [(v.commit_hash, sorted(v.refs), v.nb_files) for v in r.revisions]) for r in info.repos])",
            &[],
        );
        let Some(found) = found else { return };
        let snapshot = stage.snapshot().canonicalize().unwrap();
        let lines: Vec<&str> = found.lines().collect();
        assert!(Path::new(lines[0]).ends_with(format!("{COMMIT}/model.safetensors")), "{found}");
        assert_eq!(Path::new(lines[1]).canonicalize().unwrap(), snapshot);
        assert_eq!(lines[2], format!("0 [('{BASE}', [('{COMMIT}', ['main'], 3)])]"));
        // Python asks for things of its own, but not for the model.
        assert_eq!(stage.played.seen_of(BASE).len(), asked, "{:?}", stage.played.seen().last());
    }
}

#[test]
fn what_python_fetches_is_found_here() {
    for (links, expected) in [("0", Health::Sound), ("1", Health::Unproven)] {
        let stage = Stage::new();
        let program = "from huggingface_hub import snapshot_download; snapshot_download('openai/whisper-base')";
        if python(&stage, program, &[("HF_HUB_DISABLE_SYMLINKS", links)]).is_none() {
            return;
        }
        let connections = stage.played.connections();
        let name = HubName::parse(BASE).unwrap();
        assert_eq!(stage.hub().find_or_pull("base", &mut go_on).unwrap(), Source::Path(stage.snapshot()));
        let seen = stage.hub().verify(&name, true, &mut go_on).unwrap();
        assert!(seen.len() == 5 && seen.iter().all(|file| file.health == expected), "{seen:?}");
        assert_eq!(stage.played.connections(), connections);
        assert_eq!(stage.pull().unwrap().fetched, 0);
    }
}

#[test]
fn python_waits_for_what_is_being_fetched_here() {
    let stage = Stage::new();
    stage.played.fail("Signature", played::Fault::Slow(10_000, Duration::from_millis(100)), 1);
    let program = "from huggingface_hub import hf_hub_download\n\
                   print(hf_hub_download('openai/whisper-base', 'model.safetensors'))";
    std::thread::scope(|scope| {
        scope.spawn(|| stage.pull().unwrap());
        while !stage.partial("model.safetensors").exists() {
            std::thread::sleep(Duration::from_millis(10));
        }
        python(&stage, program, &[]);
    });
    let store = stage.played.seen().iter().filter(|seen| seen.server == "store").count();
    assert_eq!(store, 1, "one of them fetched it, and the other waited");
}
