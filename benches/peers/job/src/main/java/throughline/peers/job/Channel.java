package throughline.peers.job;

/** Channels that the generated calls come through, in the order in which scores list them. */
enum Channel {
    WEB("web"),
    REVIEW("review");

    private static final Channel[] ALL = values();

    private final String code;

    Channel(String code) {
        this.code = code;
    }

    String code() {
        return code;
    }

    static Channel of(int ordinal) {
        return ALL[ordinal];
    }
}
