//! Who gets the next request: by weight, by load, by chance; and who gets none.

/// A server, by its number: 0, 1, 2, …
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Server(pub usize);

/// Smooth weighted round robin.
#[derive(Clone, Debug)]
pub struct RoundRobin {
    weights: Vec<u32>,
    /// How far each server lags behind what is due to it, times the sum of the weights.
    due: Vec<i64>,
}

impl RoundRobin {
    /// One server for each weight.
    #[must_use]
    pub fn new(weights: &[u32]) -> Self {
        Self { weights: weights.to_vec(), due: vec![0; weights.len()] }
    }

    // ANCHOR: smooth
    /// The next of the servers that are usable. Each of them gains its weight; the one that has most is picked, of equals the one with the
    /// least number; it pays what all of them gained. Who is not usable neither gains nor pays. Nothing if nobody is usable who has a weight.
    ///
    /// Linear in the number of servers.
    pub fn pick(&mut self, usable: impl Fn(Server) -> bool) -> Option<Server> {
        let mut total = 0;
        let mut picked: Option<usize> = None;
        for server in 0..self.weights.len() {
            let weight = i64::from(self.weights[server]);
            if weight == 0 || !usable(Server(server)) {
                continue;
            }
            total += weight;
            self.due[server] += weight;
            if picked.is_none_or(|picked| self.due[server] > self.due[picked]) {
                picked = Some(server);
            }
        }
        self.due[picked?] -= total;
        picked.map(Server)
    }
    // ANCHOR_END: smooth
}

/// A request that a server is working on. Whoever has it hands it back when it is done.
#[derive(Debug, PartialEq, Eq)]
pub struct Connection {
    server: Server,
}

impl Connection {
    /// Who is working on it.
    #[must_use]
    pub const fn server(&self) -> Server {
        self.server
    }
}

/// Least connections: the next request goes where fewest are open.
#[derive(Clone, Debug)]
pub struct LeastConnections {
    open: Vec<u32>,
    /// When each server was last picked; 0 if never.
    picked_at: Vec<u64>,
    picks: u64,
}

impl LeastConnections {
    /// So many servers, none of which has anything to do.
    #[must_use]
    pub fn new(servers: usize) -> Self {
        Self { open: vec![0; servers], picked_at: vec![0; servers], picks: 0 }
    }

    // ANCHOR: least
    /// Opens a connection to the usable server that has fewest; of equals to the one that was picked longest ago, and before the
    /// first pick to the one with the least number. Nothing if nobody is usable.
    ///
    /// Linear in the number of servers.
    pub fn pick(&mut self, usable: impl Fn(Server) -> bool) -> Option<Connection> {
        let server = (0..self.open.len())
            .filter(|&server| usable(Server(server)))
            .min_by_key(|&server| (self.open[server], self.picked_at[server]))?;
        self.picks += 1;
        self.picked_at[server] = self.picks;
        self.open[server] += 1;
        Some(Connection { server: Server(server) })
    }
    // ANCHOR_END: least

    /// The request is done.
    #[expect(clippy::needless_pass_by_value, reason = "a connection is handed back once")]
    pub fn done(&mut self, connection: Connection) {
        self.open[connection.server.0] -= 1;
    }

    /// How many are open there.
    ///
    /// # Panics
    /// If there is no such server.
    #[must_use]
    pub fn open(&self, server: Server) -> u32 {
        self.open[server.0]
    }
}

// ANCHOR: two
/// The less loaded of two *different* servers, drawn at random from all that are usable, each pair as likely as any other; either of them if they
/// are equal. If only one is usable, that one; nothing if none is.
///
/// `draw(n)` gives a number below `n`, each as likely as any other. Asks at most two servers for their load.
pub fn two_choices(
    usable: &[Server],
    load: impl Fn(Server) -> u32,
    mut draw: impl FnMut(usize) -> usize,
) -> Option<Server> {
    let [.., _, _] = usable else { return usable.first().copied() };
    let one = draw(usable.len());
    let other = draw(usable.len() - 1);
    let (one, other) = (usable[one], usable[if other < one { other } else { other + 1 }]);
    Some(if load(other) < load(one) { other } else { one })
}
// ANCHOR_END: two

/// Whether a server is up, by what its probes say.
#[derive(Clone, Debug)]
pub struct Health {
    rise: u32,
    fall: u32,
    is_up: bool,
    /// How many probes in a row have contradicted `is_up`.
    against: u32,
}

impl Health {
    /// Up, until `fall` probes in a row fail; then down, until `rise` in a row succeed.
    ///
    /// # Panics
    /// If one of them is zero.
    #[must_use]
    pub fn new(rise: u32, fall: u32) -> Self {
        assert!(rise > 0 && fall > 0, "a rise of {rise} and a fall of {fall}: no probe would be needed");
        Self { rise, fall, is_up: true, against: 0 }
    }

    // ANCHOR: health
    /// Takes notice of a probe.
    pub fn probe(&mut self, succeeded: bool) {
        if succeeded == self.is_up {
            self.against = 0;
            return;
        }
        self.against += 1;
        if self.against == if self.is_up { self.fall } else { self.rise } {
            self.is_up = succeeded;
            self.against = 0;
        }
    }
    // ANCHOR_END: health

    /// Whether it is up.
    #[must_use]
    pub const fn is_up(&self) -> bool {
        self.is_up
    }
}

/// Servers behind one address. A request goes to whoever has fewest, of those that are up and not draining.
#[derive(Clone, Debug)]
pub struct Pool {
    connections: LeastConnections,
    health: Vec<Health>,
    draining: Vec<bool>,
}

impl Pool {
    /// So many servers, all of them up and none draining. See [`Health::new`] for `rise` and `fall`.
    ///
    /// # Panics
    /// As [`Health::new`].
    #[must_use]
    pub fn new(servers: usize, rise: u32, fall: u32) -> Self {
        Self {
            connections: LeastConnections::new(servers),
            health: vec![Health::new(rise, fall); servers],
            draining: vec![false; servers],
        }
    }

    /// Opens a connection as [`LeastConnections::pick`] does. Nothing if every server is down or draining.
    pub fn pick(&mut self) -> Option<Connection> {
        let (health, draining) = (&self.health, &self.draining);
        self.connections.pick(|server| health[server.0].is_up() && !draining[server.0])
    }

    /// The request is done, in whatever state its server is by now.
    pub fn done(&mut self, connection: Connection) {
        self.connections.done(connection);
    }

    /// Takes notice of a probe, also while the server drains. What is open there stays open: a probe says nothing about a request.
    pub fn probe(&mut self, server: Server, succeeded: bool) {
        self.health[server.0].probe(succeeded);
    }

    /// From now on the server gets nothing new, until it is resumed.
    pub fn drain(&mut self, server: Server) {
        self.draining[server.0] = true;
    }

    /// The server drains no longer. It gets requests if it is up, by its probes.
    pub fn resume(&mut self, server: Server) {
        self.draining[server.0] = false;
    }

    /// Whether the server can be stopped without losing a request: it drains, and nothing is open there.
    #[must_use]
    pub fn may_stop(&self, server: Server) -> bool {
        self.draining[server.0] && self.connections.open(server) == 0
    }
}
