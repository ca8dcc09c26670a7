//! Every process of one scenario: started, killed, started again and stopped here, and nowhere else.

use std::fs;
use std::io;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use protocol::{BaseUrl, Torrent};
use scenario::{Action, Conduct, MemberId, Plan, WayIn};
use tokio::time::{Instant, sleep};

use crate::failed::{Failed, cannot};
use crate::guard::Guard;
use crate::player::{Player, Proxied};
use crate::port;
use crate::process::Process;
use crate::service::{self, LOOK, START, TRIES};
use crate::spawn::{self, Program};

/// Longest time from the request to end until a process has ended: a tracker that is away is waited for 10 s.
const END: Duration = Duration::from_secs(30);

/// What all scenarios of a run share.
pub(crate) struct Props {
    pub(crate) program: Program,
    pub(crate) torrent: Torrent,
    /// The source file.
    pub(crate) source: PathBuf,
    /// Where clients send metrics.
    pub(crate) metrics: Option<BaseUrl>,
    /// Told of every process. The last field: relieved after all others are gone.
    pub(crate) guard: Guard,
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
            let command = || props.program.tracker(port::free().unwrap_or(0));
            let (process, url) = stage.service("tracker", command).await?;
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
            if plan.members.iter().any(|member| member.traits.way_in != WayIn::Tracker) {
                stage.until_up(id).await;
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

    async fn service(&self, name: &str, command: impl Fn() -> Command) -> Result<(Process, BaseUrl), Failed> {
        service::start(&self.logs, name, &self.props.guard.line(), |_| command()).await
    }

    fn spawn(&self, name: &str, command: Command) -> Result<Process, Failed> {
        Process::start(command, &self.logs, name, &self.props.guard.line()).map_err(cannot("start a process"))
    }

    async fn put_behind_proxy(&mut self, id: MemberId) -> Result<(), Failed> {
        let member = self.plan.member(id);
        if !member.traits.proxy && member.traits.conduct == Conduct::Honest {
            return Ok(());
        }
        let none = || io::Error::from(io::ErrorKind::AddrInUse);
        let port = port::free().ok_or_else(none).map_err(cannot("find a free port"))?;
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
        let (mut peers, mut dht_nodes) = (None, None);
        match traits.way_in {
            WayIn::Tracker => {}
            WayIn::Peer => peers = self.nearest(id, |player| player.url.clone()),
            WayIn::Dht => dht_nodes = self.nearest(id, |player| player.dht_node.clone()),
        }
        let player = self.player(id);
        let client = spawn::Client {
            traits,
            has_file: id == MemberId::SEED,
            torrent: &self.description(traits.way_in),
            dir: &player.dir,
            size: self.plan.setting.size,
            behind: player.proxied.as_ref().map(|proxied| (&proxied.url, proxied.port)),
            peers: peers.as_slice(),
            dht_nodes: dht_nodes.as_slice(),
            metrics: self.props.metrics.as_ref(),
        };
        let process = self.spawn(&player.name, self.props.program.client(&client))?;
        self.players[id.place()].begin(process);
        Ok(())
    }

    /// Of the nearest member before this one that has it: so strangers form a chain, and not a star round the seed.
    fn nearest<T>(&self, id: MemberId, of: impl Fn(&Player) -> Option<T>) -> Option<T> {
        let (before, after) = self.players.split_at(id.place());
        before.iter().rev().chain(after).find_map(of)
    }

    /// Waits until a member answers. One that does not is found out by how the scenario goes on.
    async fn until_up(&mut self, id: MemberId) {
        let is_way_in = self.plan.members.iter().any(|member| member.traits.way_in == WayIn::Dht);
        let needs_dht = is_way_in && self.plan.member(id).traits.dht;
        let deadline = Instant::now() + START;
        while Instant::now() < deadline {
            let player = &mut self.players[id.place()];
            player.look();
            let is_up = player.url.is_some() && (player.dht_node.is_some() || !needs_dht);
            if is_up || !player.lives() {
                return;
            }
            sleep(LOOK).await;
        }
    }

    /// Hears what the processes say, and starts again who found its port taken.
    pub(crate) async fn look(&mut self) -> Result<(), Failed> {
        for id in self.plan.ids() {
            let player = &mut self.players[id.place()];
            player.look();
            if player.port_was_taken && player.starts <= TRIES {
                // Whoever has it may keep it: another port, and so another proxy before it.
                self.put_behind_proxy(id).await?;
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
