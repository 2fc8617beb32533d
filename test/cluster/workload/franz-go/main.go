// The workload's producer and group member with franz-go: arguments, settings and lines as of python/workload.py.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
	"unsafe"

	"github.com/twmb/franz-go/pkg/kgo"
)

const burst = 20 * time.Millisecond
const flushFor = 90 * time.Second
const monotonicClock = 1

type settings struct {
	Bootstrap  string  `json:"bootstrap"`
	Topic      string  `json:"topic"`
	Partitions int32   `json:"partitions"`
	Process    string  `json:"process"`
	First      int64   `json:"first"`
	Rate       float64 `json:"rate"`
	Group      string  `json:"group"`
	Protocol   string  `json:"protocol"`
}

type line map[string]any

// record is [partition, offset or nil, value].
type record [3]any

var given settings
var telling sync.Mutex

// The machine's monotonic clock, as all other processes read it; Go's own has another beginning.
func now() int64 {
	var at syscall.Timespec
	syscall.Syscall(syscall.SYS_CLOCK_GETTIME, monotonicClock, uintptr(unsafe.Pointer(&at)), 0)
	return at.Nano() / 1000
}

func tell(kind string, more line) {
	telling.Lock()
	defer telling.Unlock()
	more["type"] = kind
	more["at"] = now()
	more["process"] = given.Process
	text, _ := json.Marshal(more)
	fmt.Println(string(text))
}

// stdinClosed ends when this process is told to finish.
func stdinClosed() context.Context {
	ctx, end := context.WithCancel(context.Background())
	go func() {
		io.Copy(io.Discard, os.Stdin)
		end()
	}()
	return ctx
}

func common() []kgo.Opt {
	return []kgo.Opt{
		kgo.SeedBrokers(strings.Split(given.Bootstrap, ",")...),
		kgo.ClientID(given.Process),
		kgo.MetadataMaxAge(2 * time.Second),
		kgo.MetadataMinAge(50 * time.Millisecond),
		kgo.DialTimeout(time.Second),
		kgo.RequestTimeoutOverhead(3 * time.Second),
		kgo.RetryBackoffFn(func(int) time.Duration { return 50 * time.Millisecond }),
	}
}

func produce(ended context.Context) {
	client, err := kgo.NewClient(append(common(),
		kgo.RecordPartitioner(kgo.ManualPartitioner()),
		kgo.ProducerLinger(2*time.Millisecond),
		// Its default, snappy, is none that kafkajs reads by itself.
		kgo.ProducerBatchCompression(kgo.GzipCompression()),
		kgo.ProduceRequestTimeout(5*time.Second),
		kgo.DefaultProduceTopic(given.Topic),
	)...)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(2)
	}
	value := given.First
	owed := 0.0
	for ticks := time.NewTicker(burst); ended.Err() == nil; <-ticks.C {
		var sends []record
		var records []*kgo.Record
		for owed += given.Rate * burst.Seconds(); owed >= 1; owed-- {
			partition := int32(value % int64(given.Partitions))
			sends = append(sends, record{partition, nil, value})
			text := strconv.FormatInt(value, 10) + " " + strings.Repeat("x", int(value%100))
			records = append(records, &kgo.Record{Partition: partition, Value: []byte(text)})
			value++
		}
		if len(sends) == 0 {
			continue
		}
		tell("invoke", line{"sends": sends})
		for _, each := range records {
			client.Produce(context.Background(), each, completed)
		}
	}
	flushing, end := context.WithTimeout(context.Background(), flushFor)
	defer end()
	client.Flush(flushing)
	tell("note", line{"note": "producer ended", "sent": value - given.First, "unfinished": client.BufferedProduceRecords()})
}

func completed(done *kgo.Record, err error) {
	value := valueOf(done)
	if err != nil {
		tell("info", line{"sends": []record{{done.Partition, nil, value}}})
		tell("note", line{"note": "send failed", "error": err.Error()})
		return
	}
	tell("ok", line{"sends": []record{{done.Partition, done.Offset, value}}})
}

func valueOf(of *kgo.Record) int64 {
	text, _, _ := strings.Cut(string(of.Value), " ")
	value, _ := strconv.ParseInt(text, 10, 64)
	return value
}

func member(ended context.Context) {
	assigned := func(_ context.Context, client *kgo.Client, topics map[string][]int32) {
		_, generation := client.GroupMetadata()
		for _, partitions := range topics {
			tell("assign", line{"partitions": partitions, "group": given.Group, "generation": generation})
		}
	}
	options := append(common(),
		kgo.ConsumerGroup(given.Group),
		kgo.ConsumeTopics(given.Topic),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()),
		kgo.FetchIsolationLevel(kgo.ReadCommitted()),
		kgo.FetchMaxWait(100*time.Millisecond),
		kgo.DisableAutoCommit(),
		kgo.OnPartitionsAssigned(assigned),
		// What was polled is told and committed before any of it is given to another member.
		kgo.BlockRebalanceOnPoll(),
	)
	if given.Protocol == "consumer" {
		options = append(options, kgo.ServerSideBalancer(), kgo.Balancers(kgo.StickyBalancer()))
	} else {
		options = append(options, kgo.Balancers(kgo.CooperativeStickyBalancer()),
			kgo.SessionTimeout(6*time.Second), kgo.HeartbeatInterval(500*time.Millisecond))
	}
	client, err := kgo.NewClient(options...)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(2)
	}
	for ended.Err() == nil {
		var polls []record
		fetches := client.PollRecords(ended, 1000)
		fetches.EachRecord(func(one *kgo.Record) {
			polls = append(polls, record{one.Partition, one.Offset, valueOf(one)})
		})
		if len(polls) > 0 {
			tell("ok", line{"polls": polls})
			if err := client.CommitUncommittedOffsets(context.Background()); err != nil {
				tell("note", line{"note": "commit failed", "error": err.Error()})
			}
		}
		client.AllowRebalance()
	}
	client.CloseAllowingRebalance()
	tell("note", line{"note": "member ended"})
}

func main() {
	if err := json.Unmarshal([]byte(os.Args[2]), &given); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(2)
	}
	ended := stdinClosed()
	if os.Args[1] == "produce" {
		produce(ended)
	} else {
		member(ended)
	}
}
