//! Every process of one scenario: started, killed, started again and stopped here, and nowhere else.

use std::fs;
use std::io;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use protocol::{BaseUrl, Torrent};
use scenario::{Action, Conduct, MemberId, Plan, WayIn};
use serde_json::Value;
use tokio::time::{Instant, sleep};

use crate::player::{Player, Proxied};
use crate::process::{self, Process};
use crate::spawn::{self, Program};

/// Longest time from a process's start until it listens. On a machine that does nothing else it takes 20 ms.
const START: Duration = Duration::from_secs(60);
/// A port may be taken for a moment by somebody's outgoing connection; so often is it tried again.
const TRIES: u32 = 40;
/// Between two looks at a process that starts or ends.
pub(crate) const LOOK: Duration = Duration::from_millis(20);
/// Longest time from the request to end until a process has ended: a tracker that is away is waited for 10 s.
const END: Duration = Duration::from_secs(30);

/// Why a scenario could not be set up or looked at.
#[derive(Debug, thiserror::Error)]
pub enum Failed {
    /// The disk, or the system would not start a process.
    #[error("cannot {what}: {source}")]
    System {
        /// Do what.
        what: &'static str,
        /// Why.
        source: io::Error,
    },
    /// A process that everything depends on is not there.
    #[error("{name} did not start: {why}; its log is {log}")]
    NotUp {
        /// Which.
        name: String,
        /// How that showed.
        why: String,
        /// Where its log is.
        log: String,
    },
    /// The torrent.json that was made cannot be read.
    #[error("the torrent.json that torrentify wrote cannot be read: {0}")]
    Description(#[from] protocol::torrent::ParseError),
}

/// For `map_err`.
pub(crate) fn cannot(what: &'static str) -> impl FnOnce(io::Error) -> Failed {
    move |source| Failed::System { what, source }
}

/// What all scenarios of a run share.
pub(crate) struct Props {
    pub(crate) program: Program,
    pub(crate) torrent: Torrent,
    /// The source file.
    pub(crate) source: PathBuf,
    pub(crate) metrics: Option<BaseUrl>,
}

/// The processes of one scenario. Dropped, it kills and reaps all of them.
pub(crate) struct Stage<'a> {
    pub(crate) plan: &'a Plan,
    pub(crate) props: &'a Props,
    pub(crate) data: PathBuf,
    pub(crate) logs: PathBuf,
    pub(crate) players: Vec<Player>,
    pub(crate) tracker: Option<Tracker>,
}

/// The tracker, which keeps its address when it dies.
pub(crate) struct Tracker {
    process: Option<Process>,
    pub(crate) url: BaseUrl,
}

impl<'a> Stage<'a> {
    /// Starts the tracker, the proxies and everybody who is there from the start.
    pub(crate) async fn raise(plan: &'a Plan, props: &'a Props, home: &Path) -> Result<Self, Failed> {
        let (data, logs) = (home.join("data"), home.join("logs"));
        for dir in [&data, &logs] {
            fs::create_dir_all(dir).map_err(cannot("make a folder"))?;
        }
        let players = plan.members.iter().map(|member| Player::new(&member.name, &data)).collect();
        let mut stage = Stage { plan, props, data, logs, players, tracker: None };
        if plan.tracker {
            let (process, url) = stage.service("tracker", || props.program.tracker(0)).await?;
            stage.tracker = Some(Tracker { process: Some(process), url });
        }
        stage.describe()?;
        for id in plan.ids() {
            fs::create_dir_all(&stage.player(id).dir).map_err(cannot("make a folder"))?;
            stage.put_behind_proxy(id).await?;
        }
        let name = props.torrent.name().as_str();
        fs::hard_link(&props.source, stage.player(MemberId::SEED).dir.join(name))
            .map_err(cannot("put the file into the seed's folder"))?;
        for id in plan.ids().filter(|id| plan.is_early(*id)) {
            stage.start(id)?;
            // Strangers are told of those before them, so these must be up.
            if plan.members[1..].iter().any(|member| member.traits.way_in != WayIn::Tracker) {
                stage.until_up(id).await?;
            }
        }
        Ok(stage)
    }

    fn player(&self, id: MemberId) -> &Player {
        &self.players[id.place()]
    }

    /// Where a description is for who knows the tracker, and for who does not.
    fn description(&self, way_in: WayIn) -> PathBuf {
        self.data.join(if way_in == WayIn::Tracker { "torrent.json" } else { "without-tracker.json" })
    }

    fn describe(&self) -> Result<(), Failed> {
        let tracker = self.tracker.as_ref().map(|tracker| tracker.url.clone());
        for (way_in, tracker) in [(WayIn::Tracker, tracker), (WayIn::Peer, None)] {
            let torrent = self.props.torrent.clone().with_tracker(tracker);
            fs::write(self.description(way_in), torrent.to_json()).map_err(cannot("write a torrent.json"))?;
        }
        Ok(())
    }

    /// A process that others need: started, and started again while its port is taken, until it listens.
    async fn service(&self, name: &str, command: impl Fn() -> Command) -> Result<(Process, BaseUrl), Failed> {
        let mut process = self.spawn(name, command())?;
        let (mut tries, deadline) = (1, Instant::now() + START);
        loop {
            let events = process.events();
            if let Some(url) = events.iter().find_map(listening) {
                return Ok((process, url));
            }
            let why = match process.status() {
                Some(_) if tries < TRIES && events.iter().any(port_is_taken) => {
                    tries += 1;
                    process = self.spawn(name, command())?;
                    None
                }
                Some(status) => Some(process::in_words(status)),
                None => (Instant::now() > deadline).then(|| format!("it does not listen after {START:?}")),
            };
            if let Some(why) = why {
                return Err(self.not_up(name, why));
            }
            sleep(LOOK).await;
        }
    }

    fn not_up(&self, name: &str, why: String) -> Failed {
        let log = process::log_of(&self.logs, name).display().to_string();
        Failed::NotUp { name: name.to_owned(), why, log }
    }

    fn spawn(&self, name: &str, command: Command) -> Result<Process, Failed> {
        Process::start(command, &self.logs, name).map_err(cannot("start a process"))
    }

    async fn put_behind_proxy(&mut self, id: MemberId) -> Result<(), Failed> {
        let member = self.plan.member(id);
        if !member.traits.proxy && member.traits.conduct == Conduct::Honest {
            return Ok(());
        }
        let port = spawn::free_port().map_err(cannot("find a free port"))?;
        let (target, prefix) =
            (format!("http://{}:{port}", Ipv4Addr::LOCALHOST), format!("/p2p/{}", member.name));
        let name = format!("{}.proxy", member.name);
        let command = || self.props.program.proxy(&member.traits, &target, &prefix);
        let (process, url) = self.service(&name, command).await?;
        self.players[id.place()].proxied = Some(Proxied::new(process, url, port));
        Ok(())
    }

    /// Starts a member that is not running.
    fn start(&mut self, id: MemberId) -> Result<(), Failed> {
        let traits = &self.plan.member(id).traits;
        let known = if traits.way_in == WayIn::Peer { self.somebody_up(id) } else { None };
        let player = self.player(id);
        let client = spawn::Client {
            traits,
            has_file: id == MemberId::SEED,
            torrent: &self.description(traits.way_in),
            dir: &player.dir,
            size: self.plan.setting.size,
            behind: player.proxied.as_ref().map(|proxied| (&proxied.url, proxied.port)),
            peers: known.as_slice(),
            dht_nodes: &[],
            metrics: self.props.metrics.as_ref(),
        };
        let process = self.spawn(&player.name, self.props.program.client(&client))?;
        self.players[id.place()].begin(process);
        Ok(())
    }

    /// The nearest member before this one that is up: so strangers form a chain, and not a star round the seed.
    fn somebody_up(&self, id: MemberId) -> Option<BaseUrl> {
        let (before, after) = self.players.split_at(id.place());
        before.iter().rev().chain(after).find_map(|player| player.url.clone())
    }

    async fn until_up(&mut self, id: MemberId) -> Result<(), Failed> {
        let deadline = Instant::now() + START;
        while self.player(id).url.is_none() && self.player(id).early.is_none() && Instant::now() < deadline {
            self.look()?;
            sleep(LOOK).await;
        }
        Ok(())
    }

    /// Hears what the processes say, and starts again who found its port taken.
    pub(crate) fn look(&mut self) -> Result<(), Failed> {
        for id in self.plan.ids() {
            let player = &mut self.players[id.place()];
            player.look();
            if player.port_was_taken && player.starts <= TRIES {
                self.start(id)?;
            }
        }
        Ok(())
    }

    /// Does what the plan says.
    pub(crate) async fn perform(&mut self, action: Action) -> Result<(), Failed> {
        match action {
            Action::Arrive(id) => self.start(id)?,
            Action::Kill(id) => self.players[id.place()].kill(),
            Action::Restart(id) => {
                self.players[id.place()].kill();
                self.start(id)?;
            }
            Action::KillTracker => {
                if let Some(tracker) = &mut self.tracker {
                    // Dropping kills and reaps.
                    tracker.process = None;
                }
            }
            Action::StartTracker => {
                if let Some(url) = self.tracker.as_ref().map(|tracker| tracker.url.clone()) {
                    let command = || self.props.program.tracker(url.address().port());
                    let (process, url) = self.service("tracker", command).await?;
                    self.tracker = Some(Tracker { process: Some(process), url });
                }
            }
        }
        Ok(())
    }

    /// Asks everybody to end in good order and waits; who does not is killed. Nothing runs when it returns.
    pub(crate) async fn stop(&mut self) {
        let deadline = Instant::now() + END;
        self.players.iter_mut().for_each(Player::ask_to_end);
        while self.players.iter_mut().any(Player::is_ending) && Instant::now() < deadline {
            sleep(LOOK).await;
        }
        self.players.iter_mut().for_each(Player::give_up);
        // After those whom they serve.
        self.tracker = None;
        let mut proxies: Vec<&mut Proxied> =
            self.players.iter_mut().filter_map(|player| player.proxied.as_mut()).collect();
        for proxied in &mut proxies {
            proxied.ask_to_end();
        }
        while proxies.iter_mut().any(|proxied| proxied.is_ending()) && Instant::now() < deadline {
            sleep(LOOK).await;
        }
        for proxied in proxies {
            proxied.give_up();
        }
    }
}

impl Drop for Stage<'_> {
    fn drop(&mut self) {
        // All at once: one after the other, the last of many would live on for a while.
        let clients = self.players.iter_mut().flat_map(Player::processes);
        let tracker = self.tracker.iter_mut().filter_map(|tracker| tracker.process.as_mut());
        clients.chain(tracker).for_each(Process::kill);
    }
}

/// The URL of a `listening` event of an HTTP role.
pub(crate) fn listening(event: &Value) -> Option<BaseUrl> {
    if event["event"] != "listening" {
        return None;
    }
    event["url"].as_str()?.parse().ok()
}

/// The event of a process that ended because its port was taken.
pub(crate) fn port_is_taken(event: &Value) -> bool {
    event["event"] == "error" && event["kind"] == "listen"
}
