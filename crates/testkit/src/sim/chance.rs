//! The one source of chance, and how rough the weather of a seed is.

/// Numbers that only depend on the seed.
#[derive(Debug, Clone)]
pub struct Chance(fastrand::Rng);

impl Chance {
    /// The numbers of this seed.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        // Neighboring seeds must not begin alike.
        Self(fastrand::Rng::with_seed(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) ^ 0x5851_F42D_4C95_7F2D))
    }

    /// A number below `below`, which is not 0.
    pub fn below(&mut self, below: u32) -> u32 {
        self.0.u32(0..below)
    }

    /// A number below `below`, as an index.
    pub fn index(&mut self, below: usize) -> usize {
        self.0.usize(0..below)
    }

    /// True once in `every` times; never if that is 0.
    pub fn one_in(&mut self, every: u32) -> bool {
        every != 0 && self.0.u32(0..every) == 0
    }

    /// One of these.
    pub fn pick<T: Copy>(&mut self, among: &[T]) -> T {
        among[self.0.usize(0..among.len())]
    }
}

/// How often each kind of fault happens: once in so many occasions, 0 for never. Half of the kinds are absent from a seed,
/// so that rare faults are not always hidden by frequent ones.
#[derive(Debug, Clone, Copy)]
pub struct Climate {
    /// A process dies at the boundary of an effect.
    pub crash: u32,
    /// A process stands still at the boundary of an effect while the others go on.
    pub freeze: u32,
    /// A process is killed between two turns.
    pub kill: u32,
    /// A second process starts with the ids of one that stands still.
    pub double: u32,
    /// An output fails without a record to blame.
    pub produce: u32,
    /// The answer to the end of a transaction does not come.
    pub end_answer: u32,
    /// The broker refuses the end and asks for an abort.
    pub end_refused: u32,
    /// The answer to the offsets of a transaction does not come.
    pub offsets_answer: u32,
    /// An abort cannot be done on the producer.
    pub abort: u32,
    /// Offsets cannot be read for a while.
    pub offset_read: u32,
    /// The group rebalances without a reason.
    pub rebalance: u32,
    /// The answers of a group's coordinator do not arrive for a while.
    pub deaf: u32,
    /// A local log loses its tail.
    pub torn: u32,
    /// A wall clock is set forward or back.
    pub clock: u32,
    /// Outputs are on the wire for a while.
    pub slow_send: u32,
    /// A worker is drained.
    pub drain: u32,
    /// Memory is short in a process for a while.
    pub pressure: u32,
}

impl Climate {
    /// The same with memory that is short in one seed of three, by numbers of its own: all other seeds stay as they are.
    pub fn with_pressure(self, seed: u64) -> Self {
        let mut chance = Chance::new(!seed);
        let pressure = if chance.below(3) == 0 { chance.pick(&[2, 4, 8]) } else { 0 };
        Self { pressure, ..self }
    }

    /// The weather of a seed.
    pub fn draw(chance: &mut Chance) -> Self {
        let mut rate = |rates: [u32; 3]| if chance.one_in(2) { 0 } else { chance.pick(&rates) };
        Self {
            crash: rate([20, 60, 200]),
            freeze: rate([20, 60, 200]),
            kill: rate([10, 40, 80]),
            double: rate([2, 4, 8]),
            produce: rate([10, 40, 120]),
            end_answer: rate([2, 5, 15]),
            end_refused: rate([4, 10, 30]),
            offsets_answer: rate([4, 10, 30]),
            abort: rate([2, 3, 6]),
            offset_read: rate([2, 4, 8]),
            rebalance: rate([5, 20, 60]),
            deaf: rate([2, 3, 6]),
            torn: rate([1, 2, 4]),
            clock: rate([2, 4, 8]),
            slow_send: rate([1, 2, 4]),
            drain: rate([10, 20, 40]),
            pressure: 0,
        }
    }
}
