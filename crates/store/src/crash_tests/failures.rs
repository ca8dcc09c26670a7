//! A disk that is full or broken for a while, at every operation: a clear error, nothing lost, and on it goes.

use std::collections::BTreeSet;
use std::sync::Arc;

use protocol::{ChunkIndex, ChunkSet};
use rustix::io::Errno;

use super::job::{Job, Life, jobs};
use crate::disk::memory::{Cache, Dice, Fault, MemoryDisk};
use crate::partial::Partial;
use crate::{Opened, StoreError};

/// Calls that may fail in a row before the test gives up: more than any fault lasts.
const ATTEMPTS: usize = 40;
/// What must have been tried at least.
const LEAST_FAULTS: usize = 2_000;

/// One download on a failing disk: every call that fails is made again, as the shell does.
struct Stubborn<'a> {
    job: &'a Job,
    disk: MemoryDisk,
    errno: Errno,
    durable: ChunkSet,
    dice: Dice,
    errors: usize,
}

impl Stubborn<'_> {
    fn again<T>(
        &mut self,
        partial: Option<&Partial<MemoryDisk>>,
        mut call: impl FnMut() -> Result<T, StoreError>,
    ) -> Result<T, String> {
        for _ in 0..ATTEMPTS {
            match call() {
                Ok(done) => return Ok(done),
                // The chunks are fetched again by the loop that writes; a finish has to wait for them.
                Err(StoreError::Incomplete { .. } | StoreError::Lost { .. }) if partial.is_some() => {
                    self.errors += 1;
                    self.fetch_missing(partial)?;
                }
                Err(error) => self.judge(&error, partial)?,
            }
        }
        Err("did not recover".into())
    }

    fn fetch_missing(&mut self, partial: Option<&Partial<MemoryDisk>>) -> Result<(), String> {
        let partial = partial.ok_or("no download")?;
        for chunk in partial.have().inverted().iter() {
            // A failure here is met again by the caller's next attempt.
            let _ = partial.write(&self.job.chunk(chunk));
        }
        self.nothing_is_lost(Some(partial))
    }

    /// The error says what it is, and nothing that was durable is lost: not for the process that goes on, and not
    /// if the power failed right now.
    fn judge(&mut self, error: &StoreError, partial: Option<&Partial<MemoryDisk>>) -> Result<(), String> {
        self.errors += 1;
        let clear = match self.errno {
            Errno::NOSPC => error.is_no_space(),
            _ => matches!(error, StoreError::Io { .. }),
        };
        if !clear {
            return Err(format!("unclear: {error:?}"));
        }
        self.nothing_is_lost(partial)
    }

    fn nothing_is_lost(&mut self, partial: Option<&Partial<MemoryDisk>>) -> Result<(), String> {
        if let Some(partial) = partial {
            let have = partial.have();
            if let Some(lost) = self.durable.difference(&have).next() {
                return Err(format!("{lost:?} was durable and is lost"));
            }
        }
        let after = self.disk.after_power_loss(&mut self.dice);
        let life = Life { durable: self.durable.clone(), ..Life::new(self.job) };
        self.job.check(&after, &life, &mut self.dice).map_err(|violation| format!("power loss: {violation}"))
    }

    fn download(&mut self) -> Result<(), String> {
        let (job, disk) = (self.job, self.disk.clone());
        for selection in job.selections.iter().map(Some).chain([None]) {
            let Opened::Partial(partial) = self.again(None, || job.open(&disk))? else {
                return self.end();
            };
            self.fetch(&partial, selection)?;
            if let Some(selection) = selection {
                job.left_out_by(selection).iter().for_each(|chunk| {
                    self.durable.remove(chunk);
                });
                self.again(Some(&partial), || partial.finish_selection(selection))?;
                drop(partial);
                self.selected(selection)?;
            } else {
                self.again(Some(&partial), || partial.finish())?;
            }
        }
        self.end()
    }

    fn fetch(
        &mut self,
        partial: &Partial<MemoryDisk>,
        selection: Option<&BTreeSet<usize>>,
    ) -> Result<(), String> {
        let job = self.job;
        // The order is the torrent's: the dice only choose what comes of files that are left out.
        let mut chunks = job.shuffled(&partial.have(), selection, &mut Dice(7));
        chunks.sort_unstable();
        for (at, chunk) in chunks.into_iter().enumerate() {
            self.again(Some(partial), || partial.write(&job.chunk(chunk)))?;
            if (at + 1).is_multiple_of(job.group) {
                self.again(Some(partial), || partial.sync())?;
                self.durable = partial.have();
                if self.errors > 0 {
                    self.nothing_is_lost(Some(partial))?;
                }
            }
        }
        Ok(())
    }

    /// It said that these have the final name: they must also after a power loss.
    fn selected(&mut self, selection: &BTreeSet<usize>) -> Result<(), String> {
        let after = self.disk.after_power_loss(&mut self.dice);
        let (durable, in_place) = (self.durable.clone(), selection.clone());
        self.job.check(&after, &Life { durable, in_place, ..Life::new(self.job) }, &mut self.dice)
    }

    /// It said that it is complete: it must be so also after a power loss.
    fn end(&mut self) -> Result<(), String> {
        let after = self.disk.after_power_loss(&mut self.dice);
        let durable = ChunkSet::full(self.job.torrent.chunk_count());
        let life = Life { durable, finished: true, ..Life::new(self.job) };
        self.job.check(&after, &life, &mut self.dice)
    }
}

fn download_with(job: &Job, fault: Fault, errno: Errno) -> (usize, Result<(), String>) {
    let disk = Job::fresh_disk();
    disk.set_fault(fault);
    let durable = ChunkSet::empty(job.torrent.chunk_count());
    let mut stubborn = Stubborn { job, disk, errno, durable, dice: Dice(1), errors: 0 };
    let result = stubborn.download();
    (stubborn.errors, result)
}

#[test]
fn a35_enospc_and_eio_at_any_operation_are_clear_and_lose_nothing() {
    let (mut faults, mut met, mut violations) = (0, 0, Vec::new());
    for job in &jobs() {
        let undisturbed = Job::fresh_disk();
        undisturbed.set_fault(Fault::None);
        job.live(&undisturbed, super::job::RIGHT_ORDER, &mut Dice(1));
        let (_, operations) = undisturbed.counts();
        for (errno, cache, count) in [
            (Errno::NOSPC, Cache::Kept, 1),
            (Errno::NOSPC, Cache::Dropped, 4),
            // Full for long: room comes when dozens of calls have failed.
            (Errno::NOSPC, Cache::Kept, 30),
            (Errno::IO, Cache::Kept, 4),
            (Errno::IO, Cache::Dropped, 1),
        ] {
            for from in 1..=operations {
                let fault = Fault::Fail { from, count, errno, cache };
                let (errors, result) = download_with(job, fault, errno);
                faults += 1;
                met += usize::from(errors > 0);
                if let Err(violation) = result {
                    violations.push(format!("{}: {fault:?}: {violation}", job.name));
                }
            }
        }
    }
    println!("{faults} faults, {met} of them told to the caller");
    assert!(violations.is_empty(), "{} of {faults}:\n{}", violations.len(), violations.join("\n"));
    assert!(faults >= LEAST_FAULTS && met > faults / 2, "{met} of {faults}");
}

/// A download with chunk 0 written and not synced, on a disk whose next sync fails.
fn about_to_fail(cache: Cache) -> (Arc<Job>, MemoryDisk, Arc<Partial<MemoryDisk>>) {
    let job = Arc::new(Job::file("about to fail", 16 * 4));
    let disk = Job::fresh_disk();
    let Ok(Opened::Partial(partial)) = job.open(&disk) else { panic!("a fresh disk") };
    partial.write(&job.chunk(ChunkIndex::new(0))).unwrap();
    disk.set_fault(Fault::FailSyncs { count: 1, cache });
    (job, disk, Arc::new(partial))
}

/// What was synced last is there after a power loss.
fn check_after_power_loss(job: &Job, disk: &MemoryDisk, partial: &Partial<MemoryDisk>) {
    let life = Life { durable: partial.have(), ..Life::new(job) };
    for seed in 0..20 {
        let mut dice = Dice(seed);
        assert_eq!(job.check(&disk.after_power_loss(&mut dice), &life, &mut dice), Ok(()));
    }
}

#[test]
fn a35_a_chunk_written_while_a_sync_fails_is_not_taken_for_durable() {
    let (job, disk, partial) = about_to_fail(Cache::Kept);
    // The write lands in the page cache after the group was chosen and before its sync fails.
    let (other, job_there) = (Arc::clone(&partial), Arc::clone(&job));
    disk.during_next_sync(move || other.write(&job_there.chunk(ChunkIndex::new(1))).unwrap());
    assert!(matches!(partial.sync(), Err(StoreError::Io { .. })));
    partial.sync().unwrap();
    assert_eq!(partial.have().count(), 2);
    check_after_power_loss(&job, &disk, &partial);
}

#[test]
fn a35_a_sync_that_fails_before_the_writer_returns_is_noticed() {
    let (job, disk, partial) = about_to_fail(Cache::Kept);
    let other = Arc::clone(&partial);
    disk.after_next_write(move || assert!(other.sync().is_err()));
    partial.write(&job.chunk(ChunkIndex::new(1))).unwrap();
    partial.sync().unwrap();
    assert_eq!(partial.have().count(), 2);
    check_after_power_loss(&job, &disk, &partial);
}

#[test]
fn a35_what_the_disk_forgot_is_said_and_can_be_written_again() {
    let (job, disk, partial) = about_to_fail(Cache::Dropped);
    assert!(matches!(partial.sync(), Err(StoreError::Io { .. })));
    let lost = partial.sync().unwrap_err();
    assert!(matches!(&lost, StoreError::Lost { chunks } if *chunks == [ChunkIndex::new(0)]), "{lost}");
    assert_eq!((partial.have().count(), partial.unsynced_bytes()), (0, 0));
    // Nothing to record, but the file was met: its first record has to name it all the same.
    partial.sync().unwrap();
    partial.write(&job.chunk(ChunkIndex::new(0))).unwrap();
    partial.sync().unwrap();
    check_after_power_loss(&job, &disk, &partial);
}
