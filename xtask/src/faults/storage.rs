//! Disks that are full, files that are not what they were.

use std::fs;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, ensure};

use super::Fault;
use super::bench::{Bench, PATIENCE, SmallDisk, TRANSCRIPTIONS, add_job, expect, form, message, text, wait_until};
use crate::serving::http::Request;
use crate::serving::{Place, Plan, sounds};

pub(super) const FAULTS: [Fault; 8] = [
    Fault::new(
        "disk full, folder of jobs",
        "jobs are sent until the disk of their folder is full; then some are deleted",
        "500 that names the disk for what has no room, nothing of it left behind; what was accepted ends right; the rest of the server works; \
         with room there are jobs again",
        data_full,
    ),
    Fault::new(
        "disk full, in the middle of a job",
        "something else fills the disk to its last byte while a job is heard, and frees it after a while",
        "the job is not lost: it ends right when there is room",
        filled_up,
    ),
    Fault::new(
        "disk full, temporary files",
        "a sound that the disk of temporary files has no room for",
        "500 that names the disk; what is smaller is answered",
        temporary_full,
    ),
    Fault::new(
        "database damaged",
        "the database of jobs is overwritten while the server is down",
        "it starts; the log says so; database and sounds are kept aside to the byte; jobs begin anew",
        damaged,
    ),
    Fault::new(
        "database of a newer version",
        "the database says that it is of a version that is not known",
        "it does not start, says why, and changes nothing",
        newer,
    ),
    Fault::new(
        "model file removed while it runs",
        "the folder of the model is deleted while it is loaded",
        "answers go on, and are the same",
        removed_while_loaded,
    ),
    Fault::new(
        "model file overwritten while it runs",
        "the weights are cut off in place while they are loaded",
        "answers go on, and are the same",
        overwritten_while_loaded,
    ),
    Fault::new(
        "model file removed before it is loaded",
        "a second model is deleted before anybody asks for it, and put back later; then the server is started without it",
        "503 with Retry-After for that model, answers for the other; the same request is answered when it is back; the start is refused \
         with a message that names it",
        removed_before,
    ),
];

/// A disk of some megabytes in that folder: of the system, or what a limit for the size of files makes of it.
fn small(bench: &Bench, folder: &Path, megabytes: u32) -> (Plan, Option<SmallDisk>, &'static str) {
    match SmallDisk::mount(folder, megabytes) {
        Some(disk) => (bench.plan(), Some(disk), "a disk of its own"),
        // Files of 8 MB at most, less than the sounds that are to be refused; an error instead of a signal.
        None => {
            let before = "trap '' XFSZ; ulimit -f 16384;".to_owned();
            (Plan { before, ..bench.plan() }, None, "a limit for the size of files (no disk could be mounted)")
        }
    }
}

fn data_full(bench: &Bench) -> Result<String> {
    let place = Place::new()?;
    let (plan, disk, how) = small(bench, &place.data(), 64);
    // With a limit for files instead of a disk, one sound is too much.
    let sound = sounds::long(&["two-voices.wav", "english.wav"], if disk.is_some() { 80 } else { 600 })?;
    let server = plan.start(&place)?;
    let first = add_job(&server, bench.clip(), &[], "first")?;
    let mut accepted = vec![first];
    let refused = loop {
        let request = form("/v1/jobs", &sound, &[]);
        let answer = server.ask(&request)?;
        if answer.status != 202 {
            break answer;
        }
        accepted.push(answer.json()["id"].as_str().unwrap_or_default().to_owned());
        ensure!(accepted.len() < 40, "the disk does not become full");
    };
    expect(&refused, 500)?;
    ensure!(message(&refused).contains("disk may be full"), "it says {}", message(&refused));
    ensure!(place.left_files().len() == accepted.len(), "left behind: {:?}", place.left_files());
    for id in &accepted {
        let job = server.job(id, PATIENCE)?;
        ensure!(job["status"] == "succeeded", "an accepted job ended so: {job}");
    }
    bench.check(&server)?;
    server.get("/readyz")?;
    for id in &accepted {
        expect(&server.ask(&Request::new("DELETE", &format!("/v1/jobs/{id}")))?, 200)?;
    }
    let id = add_job(&server, bench.clip(), &[], "later")?;
    ensure!(server.job(&id, PATIENCE)?["status"] == "succeeded", "no job behind the full disk");
    let happened = format!("{} accepted and right, then 500; works again behind it; by {how}", accepted.len());
    drop((server, disk));
    Ok(happened)
}

fn filled_up(bench: &Bench) -> Result<String> {
    let place = Place::new()?;
    let Some(disk) = SmallDisk::mount(&place.data(), 96) else {
        return Ok("not tried here: no disk could be mounted".to_owned());
    };
    let server = bench.plan().start(&place)?;
    let sound = sounds::long(&["two-voices.wav", "english.wav"], 900)?;
    let expected = text(&server, &sound)?;
    let id = add_job(&server, &sound, &[], "long")?;
    let job = || server.get(&format!("/v1/jobs/{id}"));
    wait_until("it is heard", PATIENCE, || Ok(job()?["processed"].as_f64() > Some(30.0)))?;
    let filler = place.data().join("filler");
    let mut room = fs::File::create(&filler)?;
    let filled = std::io::copy(&mut std::io::repeat(0), &mut room);
    ensure!(filled.is_err(), "the disk cannot be filled");
    drop(room);
    std::thread::sleep(Duration::from_secs(5));
    let meanwhile = job()?;
    bench.check(&server)?;
    fs::remove_file(&filler)?;
    let ended = server.job(&id, PATIENCE)?;
    ensure!(ended["status"] == "succeeded", "the job ended so: {ended}");
    let result = server.get(&format!("/v1/jobs/{id}/result?format=json"))?;
    ensure!(result["text"] == expected.as_str(), "another text than without a full disk");
    let happened = format!("the job was {} with the disk full, and ended right", meanwhile["status"]);
    drop((server, disk));
    Ok(happened.replace('"', ""))
}

fn temporary_full(bench: &Bench) -> Result<String> {
    let place = Place::new()?;
    let (plan, disk, how) = small(bench, &place.temporary(), 4);
    let server = plan.start(&place)?;
    let sound = sounds::long(&["english.wav"], 300)?;
    let refused = server.ask(&form(TRANSCRIPTIONS, &sound, &[]))?;
    expect(&refused, 500)?;
    ensure!(message(&refused).contains("disk may be full"), "it says {}", message(&refused));
    bench.check(&server)?;
    drop((server, disk));
    Ok(format!("500, then answered; by {how}"))
}

fn damaged(bench: &Bench) -> Result<String> {
    let place = Place::new()?;
    let mut server = bench.plan().start(&place)?;
    let id = add_job(&server, bench.clip(), &[], "first")?;
    server.job(&id, PATIENCE)?;
    server.terminate()?;
    server.ended(PATIENCE)?.context("it does not end")?;
    let database = place.data().join("jobs.db");
    let harmed = vec![7_u8; fs::metadata(&database)?.len() as usize];
    fs::write(&database, &harmed)?;
    // Out of its log the database would mend itself.
    let _ = fs::remove_file(place.data().join("jobs.db-wal"));
    let server = bench.plan().start(&place)?;
    ensure!(place.log().contains("DAMAGED"), "the log does not say it");
    let aside =
        fs::read_dir(place.data())?.flatten().find(|entry| entry.file_name().to_string_lossy().starts_with("damaged-"));
    let aside = aside.context("nothing was kept aside")?.path();
    ensure!(fs::read(aside.join("jobs.db"))? == harmed, "the database was changed");
    let sounds: Vec<_> = fs::read_dir(aside.join("uploads"))?.flatten().collect();
    let [sound] = sounds.as_slice() else { return Err(anyhow::anyhow!("{} sounds were kept aside", sounds.len())) };
    ensure!(fs::read(sound.path())? == bench.clip(), "the sound was changed");
    let id = add_job(&server, bench.clip(), &[], "second")?;
    ensure!(server.job(&id, PATIENCE)?["status"] == "succeeded", "no job behind it");
    Ok("started; said so; both kept to the byte; a new job ended right".to_owned())
}

/// Where SQLite keeps the version that a program gives its tables.
const VERSION_AT: usize = 60;

fn newer(bench: &Bench) -> Result<String> {
    let place = Place::new()?;
    let mut server = bench.plan().start(&place)?;
    server.terminate()?;
    server.ended(PATIENCE)?.context("it does not end")?;
    let database = place.data().join("jobs.db");
    let mut bytes = fs::read(&database)?;
    bytes.get_mut(VERSION_AT..VERSION_AT + 4).context("no database")?.copy_from_slice(&9_u32.to_be_bytes());
    fs::write(&database, &bytes)?;
    let (status, said) = bench.plan().refuses(&place)?;
    ensure!(!status.success(), "it ended with {status}");
    ensure!(said.contains("version 9"), "it says {said}");
    ensure!(fs::read(&database)? == bytes, "the database was changed");
    Ok(format!("refused with {status}; the file as it was"))
}

/// A copy of the model, that may be harmed.
fn copied(bench: &Bench, place: &Place) -> Result<std::path::PathBuf> {
    let folder = place.path().join("model");
    fs::create_dir(&folder)?;
    for entry in fs::read_dir(&bench.model)? {
        let entry = entry?;
        fs::copy(entry.path(), folder.join(entry.file_name())).context("the model cannot be copied")?;
    }
    Ok(folder)
}

fn removed_while_loaded(bench: &Bench) -> Result<String> {
    let place = Place::new()?;
    let folder = copied(bench, &place)?;
    let server = Plan { models: vec![format!("demo={}", folder.display())], ..bench.plan() }.start(&place)?;
    bench.check(&server)?;
    fs::remove_dir_all(&folder)?;
    bench.check(&server)?;
    server.get("/readyz")?;
    Ok("the same text".to_owned())
}

fn overwritten_while_loaded(bench: &Bench) -> Result<String> {
    let place = Place::new()?;
    let folder = copied(bench, &place)?;
    let mut server = Plan { models: vec![format!("demo={}", folder.display())], ..bench.plan() }.start(&place)?;
    bench.check(&server)?;
    let weights = folder.join("model.safetensors");
    fs::File::options().write(true).open(&weights).context("the model has no safetensors")?.set_len(64)?;
    let checked = bench.check(&server);
    if let Some(status) = server.ended(Duration::from_secs(1))? {
        return Err(anyhow::anyhow!("the process died: {status}"));
    }
    checked?;
    Ok("the same text".to_owned())
}

fn removed_before(bench: &Bench) -> Result<String> {
    let place = Place::new()?;
    let folder = copied(bench, &place)?;
    let plan = Plan {
        models: vec![format!("demo={}", bench.model.display()), format!("second={}", folder.display())],
        ..bench.plan()
    };
    let mut server = plan.start(&place)?;
    let elsewhere = place.path().join("elsewhere");
    fs::rename(&folder, &elsewhere)?;
    let sound = bench.clip();
    let parts: [(&str, Option<&str>, &[u8]); 2] = [("model", None, b"second"), ("file", Some("a.wav"), sound)];
    let request = Request::form(TRANSCRIPTIONS, &parts);
    let refused = server.ask(&request)?;
    expect(&refused, 503)?;
    ensure!(refused.header("retry-after").is_some(), "503 without Retry-After");
    ensure!(!refused.text().contains(&*place.path().to_string_lossy()), "a client is told a path of this machine");
    bench.check(&server)?;
    fs::rename(&elsewhere, &folder)?;
    expect(&server.ask(&request)?, 200)?;
    server.terminate()?;
    server.ended(PATIENCE)?.context("it does not end")?;
    fs::remove_dir_all(&folder)?;
    let (status, said) = plan.refuses(&place)?;
    ensure!(!status.success() && said.contains("model"), "it ended with {status} and said {said}");
    Ok(format!("503, then 200; the start without it is refused with {status}"))
}
