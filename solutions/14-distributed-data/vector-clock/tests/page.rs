//! What the page says beyond what the exercise asks for.

use vector_clock::{Process, Replica, VectorClock};

#[test]
fn ten_writes_that_read_nothing_leave_ten_values() {
    let mut replica = Replica::new(Process(0));
    (0..10).for_each(|write| replica.put(&VectorClock::default(), &write.to_string()));
    assert_eq!(replica.get().values.len(), 10);
    let context = replica.get().context;
    assert_eq!(replica.get().values.len(), 10, "a read replaces nothing");
    replica.put(&context, "merged");
    assert_eq!(replica.get().values, ["merged"]);
}

/// The phone adds a lamp to the tent in Madrid, the laptop a stove in Berlin.
#[test]
fn neither_the_lamp_nor_the_stove_is_lost() {
    let (mut madrid, mut berlin) = (Replica::new(Process(0)), Replica::new(Process(1)));
    madrid.put(&VectorClock::default(), "tent");
    berlin.hear(&madrid);
    let read = berlin.get().context;
    madrid.put(&read, "tent, lamp");
    berlin.put(&read, "tent, stove");
    madrid.hear(&berlin);
    let mut values = madrid.get().values;
    values.sort();
    assert_eq!(values, ["tent, lamp", "tent, stove"]);
}
