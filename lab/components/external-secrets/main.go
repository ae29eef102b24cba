// Command external-secrets runs External Secrets Operator's own controllers for ExternalSecret and SecretStore, with Vault as
// the only provider that is linked in and in the named namespaces only. Whatever is cluster-wide (ClusterSecretStore,
// ClusterExternalSecret), pushing of secrets, generators and the webhook are left out.
package main

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/healthz"
	"sigs.k8s.io/controller-runtime/pkg/log/zap"
	"sigs.k8s.io/controller-runtime/pkg/metrics/server"

	esv1 "github.com/external-secrets/external-secrets/apis/externalsecrets/v1"
	esv1alpha1 "github.com/external-secrets/external-secrets/apis/externalsecrets/v1alpha1"
	genv1alpha1 "github.com/external-secrets/external-secrets/apis/generators/v1alpha1"
	ctrlcommon "github.com/external-secrets/external-secrets/pkg/controllers/common"
	"github.com/external-secrets/external-secrets/pkg/controllers/externalsecret"
	"github.com/external-secrets/external-secrets/pkg/controllers/externalsecret/esmetrics"
	"github.com/external-secrets/external-secrets/pkg/controllers/metrics"
	"github.com/external-secrets/external-secrets/pkg/controllers/secretstore"
	"github.com/external-secrets/external-secrets/pkg/controllers/secretstore/ssmetrics"
	"github.com/external-secrets/external-secrets/pkg/feature"
)

// settings are the flags of the command.
type settings struct {
	live, metrics string
	namespaces    string
	lead          bool
	requeue       time.Duration
	workers       int
}

func main() {
	var s settings
	flag.StringVar(&s.live, "live-addr", ":8082", "where /healthz is served")
	flag.StringVar(&s.metrics, "metrics-addr", "0", "where metrics are served; 0 for nowhere")
	flag.StringVar(&s.namespaces, "namespaces", "", "the namespaces looked at, by commas")
	flag.BoolVar(&s.lead, "leader-elect", true, "act only while holding the lease")
	flag.DurationVar(&s.requeue, "store-interval", time.Minute, "how often a store is validated")
	flag.IntVar(&s.workers, "workers", 2, "reconciliations at a time")
	logging := zap.Options{}
	logging.BindFlags(flag.CommandLine)
	flag.Parse()
	ctrl.SetLogger(zap.New(zap.UseFlagOptions(&logging)))
	if err := run(s); err != nil {
		fmt.Fprintln(os.Stderr, "external-secrets:", err)
		os.Exit(1)
	}
}

func run(s settings) error {
	if s.namespaces == "" {
		return errors.New("no -namespaces: the operator serves named namespaces only")
	}
	scheme := runtime.NewScheme()
	if err := errors.Join(
		clientgoscheme.AddToScheme(scheme),
		esv1.AddToScheme(scheme),
		esv1alpha1.AddToScheme(scheme),
		genv1alpha1.AddToScheme(scheme),
	); err != nil {
		return err
	}
	config, err := ctrl.GetConfig()
	if err != nil {
		return err
	}
	manager, err := ctrl.NewManager(config, options(s, scheme))
	if err != nil {
		return err
	}
	metrics.SetUpLabelNames(false)
	if err := errors.Join(
		stores(manager, s),
		secrets(manager, s),
		manager.AddHealthzCheck("alive", healthz.Ping),
	); err != nil {
		return err
	}
	for _, f := range feature.Features() {
		if f.Initialize != nil {
			f.Initialize()
		}
	}
	return manager.Start(ctrl.SetupSignalHandler())
}

// options leaves Secrets and ConfigMaps out of the cache: what the operator does not hold in memory it cannot leak.
func options(s settings, scheme *runtime.Scheme) ctrl.Options {
	made := ctrl.Options{
		Scheme:                        scheme,
		Metrics:                       server.Options{BindAddress: s.metrics},
		HealthProbeBindAddress:        s.live,
		LeaderElection:                s.lead,
		LeaderElectionID:              "external-secrets-controller",
		LeaderElectionReleaseOnCancel: true,
		Cache:                         cache.Options{DefaultNamespaces: map[string]cache.Config{}},
		Client: client.Options{
			Cache: &client.CacheOptions{DisableFor: []client.Object{&corev1.Secret{}, &corev1.ConfigMap{}}},
		},
	}
	for _, name := range strings.Split(s.namespaces, ",") {
		made.Cache.DefaultNamespaces[name] = cache.Config{}
	}
	return made
}

func pace(s settings) controller.Options {
	return controller.Options{MaxConcurrentReconciles: s.workers, RateLimiter: ctrlcommon.BuildRateLimiter()}
}

func stores(manager ctrl.Manager, s settings) error {
	ssmetrics.SetUpMetrics()
	reconciler := &secretstore.StoreReconciler{
		Client:          manager.GetClient(),
		Log:             ctrl.Log.WithName("SecretStore"),
		Scheme:          manager.GetScheme(),
		ControllerClass: "default",
		RequeueInterval: s.requeue,
	}
	return reconciler.SetupWithManager(manager, pace(s))
}

func secrets(manager ctrl.Manager, s settings) error {
	esmetrics.SetUpMetrics()
	reconciler := &externalsecret.Reconciler{
		Client:          manager.GetClient(),
		SecretClient:    manager.GetClient(),
		Log:             ctrl.Log.WithName("ExternalSecret"),
		Scheme:          manager.GetScheme(),
		RestConfig:      manager.GetConfig(),
		ControllerClass: "default",
		RequeueInterval: time.Hour,
		EnableFloodGate: true,
	}
	return reconciler.SetupWithManager(manager, pace(s))
}
