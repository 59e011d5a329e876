package throughline.peers.job;

/** Kinds of the evidence mix, in the order of its sums. The generated calls carry answers and facts. */
enum Evidence {
    SURVEY,
    TEXT,
    FACT,
    PROMISE;

    static final int COUNT = values().length;
}
