package throughline.peers.job;

/** The numbers of the default model. */
final class Model {
    private static final long HOUR = 3_600_000;
    private static final long DAY = 24 * HOUR;

    /** Half-lives in milliseconds. */
    static final long MOMENT = 12 * HOUR;

    static final long RELATIONSHIP = 30 * DAY;
    static final long LIFETIME = 730 * DAY;
    static final long CHANNEL = 60 * DAY;

    static final double CONFIDENCE_SURVEY = 1.0;
    static final double CONFIDENCE_FACT = 0.7;
    /** How much more a negative touchpoint weighs. */
    static final double LAMBDA = 2.0;

    static final double PRIOR_WEIGHT = 2.0;
    static final double PRIOR_MEAN = 0.2;
    static final long COVERAGE_WINDOW = 90 * DAY;
    static final double COVERAGE_FLOOR = 0.25;
    static final double CHANNEL_WEIGHT_MIN = 1.5;

    static final int BASELINE_TOUCHPOINTS_MIN = 8;
    static final double BASELINE_MOMENT_WEIGHT_MIN = 0.5;
    static final double BASELINE_SPREAD_MIN = 0.15;

    /** How long a recent entry stays, counted from the newest one. */
    static final long RECENT_WINDOW = 7 * DAY;

    static final int RECENT_MAX = 128;
    static final int REASONS_MAX = 5;

    /** A move of a published number that is worth a record. */
    static final double MOVE = 0.01;

    /** Stands where a deployment names its model. */
    static final String VERSION = "default@00000000.00000000";

    private Model() {}
}
