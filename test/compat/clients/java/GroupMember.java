import java.time.Duration;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import org.apache.kafka.clients.consumer.ConsumerRebalanceListener;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.ConsumerRecords;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.clients.consumer.SubscriptionPattern;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.errors.WakeupException;

/**
 * A member of a group that tells what it is assigned and what it reads: arguments and lines as of group_member.py.
 */
public class GroupMember {
  private static synchronized void tell(String what, String value) {
    System.out.println("{\"at\":" + System.currentTimeMillis() + ",\"" + what + "\":" + value + "}");
    System.out.flush();
  }

  private static String numbers(Collection<TopicPartition> partitions) {
    return partitions.stream().map(one -> String.valueOf(one.partition())).collect(Collectors.joining(",", "[", "]"));
  }

  /** [partition, first, last] of offsets that follow each other. */
  private static List<String> runs(int partition, List<ConsumerRecord<byte[], byte[]>> records) {
    List<String> runs = new ArrayList<>();
    long first = records.get(0).offset();
    long last = first;
    for (ConsumerRecord<byte[], byte[]> one : records) {
      if (one.offset() > last + 1) {
        runs.add("[" + partition + "," + first + "," + last + "]");
        first = one.offset();
      }
      last = one.offset();
    }
    runs.add("[" + partition + "," + first + "," + last + "]");
    return runs;
  }

  private static Properties properties(String bootstrap, String group, String protocol) {
    Properties properties = new Properties();
    properties.put("bootstrap.servers", bootstrap);
    properties.put("group.id", group);
    properties.put("group.protocol", protocol);
    properties.put("client.id", "member");
    properties.put("auto.offset.reset", "earliest");
    properties.put("enable.auto.commit", "false");
    properties.put("metadata.max.age.ms", "1000");
    properties.put("max.poll.records", "1000");
    properties.put("key.deserializer", "org.apache.kafka.common.serialization.ByteArrayDeserializer");
    properties.put("value.deserializer", "org.apache.kafka.common.serialization.ByteArrayDeserializer");
    if (protocol.equals("classic")) {
      properties.put("session.timeout.ms", "6000");
      properties.put("heartbeat.interval.ms", "500");
      properties.put("partition.assignment.strategy", "org.apache.kafka.clients.consumer.CooperativeStickyAssignor");
    }
    return properties;
  }

  public static void main(String[] args) throws Exception {
    Thread main = Thread.currentThread();
    KafkaConsumer<byte[], byte[]> consumer = new KafkaConsumer<>(properties(args[0], args[1], args[3]));
    boolean[] ending = {false};
    Runtime.getRuntime().addShutdownHook(new Thread(() -> {
      ending[0] = true;
      consumer.wakeup();
      try {
        main.join(10_000);
      } catch (InterruptedException error) {
        Thread.currentThread().interrupt();
      }
    }));
    ConsumerRebalanceListener listener = new ConsumerRebalanceListener() {
      @Override
      public void onPartitionsAssigned(Collection<TopicPartition> partitions) {
        int generation = consumer.groupMetadata().generationId();
        tell("assigned", numbers(partitions) + ",\"generation\":" + generation);
      }

      @Override
      public void onPartitionsRevoked(Collection<TopicPartition> partitions) {
        tell("revoked", numbers(partitions));
      }
    };
    String topic = args[2];
    if (!topic.startsWith("^")) consumer.subscribe(List.of(topic), listener);
    else if (args[3].equals("consumer")) consumer.subscribe(new SubscriptionPattern(topic), listener);
    else consumer.subscribe(Pattern.compile(topic), listener);
    try {
      while (!ending[0]) {
        ConsumerRecords<byte[], byte[]> polled = consumer.poll(Duration.ofMillis(200));
        if (polled.isEmpty()) continue;
        Map<TopicPartition, OffsetAndMetadata> next = new HashMap<>();
        List<String> read = new ArrayList<>();
        for (TopicPartition partition : polled.partitions()) {
          read.addAll(runs(partition.partition(), polled.records(partition)));
          List<ConsumerRecord<byte[], byte[]>> records = polled.records(partition);
          next.put(partition, new OffsetAndMetadata(records.get(records.size() - 1).offset() + 1));
        }
        tell("read", read.toString());
        try {
          consumer.commitSync(next);
          tell("committed", next.entrySet().stream().map(one -> "[" + one.getKey().partition() + "," + one.getValue().offset() + "]")
              .collect(Collectors.joining(",", "[", "]")));
        } catch (WakeupException error) {
          throw error;
        } catch (RuntimeException error) {
          // Fenced meanwhile: others read these again.
          tell("failed", "\"" + error.getClass().getSimpleName() + "\"");
        }
      }
    } catch (WakeupException error) {
      // The process is told to end.
    } finally {
      consumer.close();
      tell("closed", "true");
    }
  }
}
