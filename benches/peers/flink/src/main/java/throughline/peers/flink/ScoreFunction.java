package throughline.peers.flink;

import org.apache.flink.api.common.functions.OpenContext;
import org.apache.flink.api.common.state.ValueState;
import org.apache.flink.api.common.state.ValueStateDescriptor;
import org.apache.flink.api.common.typeinfo.PrimitiveArrayTypeInfo;
import org.apache.flink.api.java.tuple.Tuple2;
import org.apache.flink.streaming.api.functions.KeyedProcessFunction;
import org.apache.flink.util.Collector;
import throughline.peers.job.Customer;
import throughline.peers.job.CustomerCodec;
import throughline.peers.job.CustomerId;
import throughline.peers.job.Score;
import throughline.peers.job.ScoreReader;
import throughline.peers.job.ScoreWriter;
import throughline.peers.job.Touchpoint;

/** The second half of the job: touchpoints in, customers in the state, key and value of score records out. */
final class ScoreFunction extends KeyedProcessFunction<Tuple2<Long, Long>, Touchpoint, Tuple2<byte[], byte[]>> {
    private final Options options;
    private transient ScoreWriter writer;
    private transient ValueState<byte[]> customers;

    ScoreFunction(Options options) {
        this.options = options;
    }

    @Override
    public void open(OpenContext context) {
        writer = new ScoreWriter(options.tenant());
        customers = getRuntimeContext().getState(
                new ValueStateDescriptor<>("customers", PrimitiveArrayTypeInfo.BYTE_PRIMITIVE_ARRAY_TYPE_INFO));
    }

    @Override
    public void processElement(Touchpoint touchpoint, Context context, Collector<Tuple2<byte[], byte[]>> out)
            throws Exception {
        byte[] held = customers.value();
        Customer customer = held == null ? new Customer() : CustomerCodec.decode(held);
        if (!customer.apply(touchpoint)) {
            return;
        }
        Score score = ScoreReader.read(customer);
        if (customer.isDue(score)) {
            long version = customer.markPublished(score);
            byte[] value = writer.write(touchpoint.customer(), score, version, System.currentTimeMillis());
            out.collect(Tuple2.of(CustomerId.hex(touchpoint.customer()), value));
        }
        customers.update(CustomerCodec.encode(customer));
    }
}
