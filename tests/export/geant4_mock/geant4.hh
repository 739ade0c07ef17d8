// What examples/geant4 uses of Geant4 11.4, in as few words as make it compile and let its model run without Geant4.
// Names, arguments and return types are Geant4's; what the functions do is only as much as the test needs.
#pragma once

#include <cmath>
#include <functional>
#include <map>
#include <ostream>
#include <string>
#include <utility>
#include <vector>

using G4bool = bool;
using G4int = int;
using G4double = double;
using G4String = std::string;

constexpr double MeV = 1, mm = 1, eplus = 1, perCent = 0.01;
enum { bIons = 6 };
enum G4HadFinalStateStatus { isAlive, stopAndKill, suspend };

inline double (*mock_uniform)() = [] { return 0.5; };
#define G4UniformRand() mock_uniform()
struct G4Random {
  static void setTheSeed(long) {}
};

class G4ThreeVector {
 public:
  G4ThreeVector(double x = 0, double y = 0, double z = 0) : x_(x), y_(y), z_(z) {}
  double x() const { return x_; }
  double y() const { return y_; }
  double z() const { return z_; }
  double mag2() const { return x_ * x_ + y_ * y_ + z_ * z_; }
  G4ThreeVector unit() const {
    const double size = std::sqrt(mag2());
    return {x_ / size, y_ / size, z_ / size};
  }

 private:
  double x_, y_, z_;
};

class G4LorentzVector {
 public:
  G4LorentzVector(double x = 0, double y = 0, double z = 0, double e = 0) : p_(x, y, z), e_(e) {}
  G4ThreeVector vect() const { return p_; }
  double e() const { return e_; }
  double m() const { return std::sqrt(e_ * e_ - p_.mag2()); }
  void setE(double e) { e_ = e; }

 private:
  G4ThreeVector p_;
  double e_;
};

class G4ProcessManager;
class G4ParticleDefinition {
 public:
  G4ParticleDefinition(int A = 0, int Z = 0, double mass = 0) : A_(A), Z_(Z), mass_(mass) {}
  G4int GetBaryonNumber() const { return A_; }
  G4int GetAtomicNumber() const { return Z_; }
  G4double GetPDGMass() const { return mass_; }
  G4double GetPDGCharge() const { return Z_; }
  G4int GetPDGEncoding() const { return 0; }
  G4ProcessManager* GetProcessManager() const { return nullptr; }

 private:
  int A_, Z_;
  double mass_;
};
struct G4Neutron : G4ParticleDefinition {
  using G4ParticleDefinition::G4ParticleDefinition;
  static G4Neutron* Definition() {
    static G4Neutron one(1, 0, 939.56542);
    return &one;
  }
};
struct G4Proton : G4ParticleDefinition {
  using G4ParticleDefinition::G4ParticleDefinition;
  static G4Proton* Definition() {
    static G4Proton one(1, 1, 938.27209);
    return &one;
  }
};
struct G4NucleiProperties {
  inline static std::function<double(int, int)> mass;
  static G4double GetNuclearMass(const G4int A, const G4int Z) { return mass(A, Z); }
};

class G4DynamicParticle {
 public:
  G4DynamicParticle(const G4ParticleDefinition* kind, const G4ThreeVector& momentum)
      : kind_(kind), momentum_(momentum),
        energy_(std::sqrt(kind->GetPDGMass() * kind->GetPDGMass() + momentum.mag2())) {}
  G4DynamicParticle(const G4ParticleDefinition* kind, G4double energy, const G4ThreeVector& momentum)
      : kind_(kind), momentum_(momentum), energy_(energy) {}
  G4double GetTotalEnergy() const { return energy_; }
  const G4ThreeVector& GetMomentum() const { return momentum_; }
  const G4ParticleDefinition* GetDefinition() const { return kind_; }

 private:
  const G4ParticleDefinition* kind_;
  G4ThreeVector momentum_;
  double energy_;
};

class G4HadSecondary {
 public:
  explicit G4HadSecondary(G4DynamicParticle* particle) : particle_(particle) {}
  G4DynamicParticle* GetParticle() { return particle_; }

 private:
  G4DynamicParticle* particle_;
};

class G4HadFinalState {
 public:
  std::size_t GetNumberOfSecondaries() const { return secondaries_.size(); }
  G4HadSecondary* GetSecondary(std::size_t i) { return &secondaries_[i]; }
  void AddSecondary(G4DynamicParticle* particle, G4int = -1) { secondaries_.emplace_back(particle); }
  void SetEnergyChange(G4double energy) { energy_ = energy; }
  G4double GetEnergyChange() const { return energy_; }
  void SetMomentumChange(const G4ThreeVector& direction) { direction_ = direction; }
  const G4ThreeVector& GetMomentumChange() const { return direction_; }
  void SetStatusChange(G4HadFinalStateStatus status) { status_ = status; }
  G4HadFinalStateStatus GetStatusChange() const { return status_; }
  void SetLocalEnergyDeposit(G4double energy) { deposit_ = energy; }
  G4double GetLocalEnergyDeposit() const { return deposit_; }
  void Clear() {
    for (auto& one : secondaries_) delete one.GetParticle();
    *this = G4HadFinalState();
  }

 private:
  std::vector<G4HadSecondary> secondaries_;
  double energy_ = 0, deposit_ = 0;
  G4ThreeVector direction_;
  G4HadFinalStateStatus status_ = isAlive;
};

class G4HadProjectile {
 public:
  G4HadProjectile(const G4ParticleDefinition* kind, double kinetic) : kind_(kind), kinetic_(kinetic) {
    const double mass = kind->GetPDGMass();
    momentum_ = G4LorentzVector(0, 0, std::sqrt(kinetic * (kinetic + 2 * mass)), mass + kinetic);
  }
  const G4ParticleDefinition* GetDefinition() const { return kind_; }
  G4double GetKineticEnergy() const { return kinetic_; }
  const G4LorentzVector& Get4Momentum() const { return momentum_; }

 private:
  const G4ParticleDefinition* kind_;
  double kinetic_;
  G4LorentzVector momentum_;
};

class G4Nucleus {
 public:
  G4Nucleus(const G4int A, const G4int Z, const G4int = 0) : A_(A), Z_(Z) {}
  G4int GetA_asInt() const { return A_; }
  G4int GetZ_asInt() const { return Z_; }

 private:
  int A_, Z_;
};

class G4HadronicInteraction {
 public:
  explicit G4HadronicInteraction(const G4String& name = "HadronicModel") : name_(name) {}
  virtual ~G4HadronicInteraction() = default;
  virtual G4HadFinalState* ApplyYourself(const G4HadProjectile&, G4Nucleus&) { return &theParticleChange; }
  virtual G4bool IsApplicable(const G4HadProjectile&, G4Nucleus&) { return true; }
  G4double GetMinEnergy() const { return lowest_; }
  G4double GetMaxEnergy() const { return highest_; }
  void SetMinEnergy(G4double energy) { lowest_ = energy; }
  void SetMaxEnergy(const G4double energy) { highest_ = energy; }
  const G4String& GetModelName() const { return name_; }
  virtual const std::pair<G4double, G4double> GetFatalEnergyCheckLevels() const { return {}; }
  virtual std::pair<G4double, G4double> GetEnergyMomentumCheckLevels() const { return {}; }
  virtual void ModelDescription(std::ostream&) const {}

 protected:
  G4HadFinalState theParticleChange;

 private:
  std::string name_;
  double lowest_ = 0, highest_ = 0;
};

class G4Fragment {
 public:
  G4Fragment(G4int A, G4int Z, const G4LorentzVector& momentum) : A_(A), Z_(Z), momentum_(momentum) {}
  G4int GetA_asInt() const { return A_; }
  G4int GetZ_asInt() const { return Z_; }
  const G4LorentzVector& GetMomentum() const { return momentum_; }

 private:
  int A_, Z_;
  G4LorentzVector momentum_;
};

class G4ReactionProduct {
 public:
  G4ReactionProduct(const G4ParticleDefinition* kind, const G4LorentzVector& momentum)
      : kind_(kind), momentum_(momentum) {}
  const G4ParticleDefinition* GetDefinition() const { return kind_; }
  G4ThreeVector GetMomentum() const { return momentum_.vect(); }
  G4double GetTotalEnergy() const { return momentum_.e(); }

 private:
  const G4ParticleDefinition* kind_;
  G4LorentzVector momentum_;
};
using G4ReactionProductVector = std::vector<G4ReactionProduct*>;

class G4ExcitationHandler {  // leaves nuclei as they are
 public:
  G4ReactionProductVector* BreakItUp(const G4Fragment& hot) {
    static std::map<std::pair<int, int>, G4ParticleDefinition> kinds;
    const int A = hot.GetA_asInt(), Z = hot.GetZ_asInt();
    const auto kind = kinds.try_emplace({A, Z}, A, Z, hot.GetMomentum().m()).first;
    return new G4ReactionProductVector{new G4ReactionProduct(&kind->second, hot.GetMomentum())};
  }
};

// --- what is only compiled ------------------------------------------------------------------------------------------

class G4VPhysicsConstructor {
 public:
  explicit G4VPhysicsConstructor(const G4String& = "") {}
  virtual ~G4VPhysicsConstructor();
  virtual void ConstructParticle() = 0;
  virtual void ConstructProcess() = 0;
  void SetPhysicsType(G4int);
};
class G4VCrossSectionDataSet {};
class G4VPreCompoundModel : public G4HadronicInteraction {};
class G4PreCompoundModel : public G4VPreCompoundModel {};
class G4BinaryLightIonReaction : public G4HadronicInteraction {
 public:
  G4BinaryLightIonReaction(G4VPreCompoundModel* compound = nullptr);
};
class G4FTFBuilder {
 public:
  explicit G4FTFBuilder(const G4String& name = "FTFP", G4PreCompoundModel* compound = nullptr);
  G4HadronicInteraction* GetModel();
};
class G4VComponentCrossSection {};
class G4ComponentGGNuclNuclXsc : public G4VComponentCrossSection {};
class G4CrossSectionInelastic : public G4VCrossSectionDataSet {
 public:
  G4CrossSectionInelastic(G4VComponentCrossSection*, G4int = 1, G4int = 256, G4double = 0, G4double = 1e300);
};
class G4HadronicInteractionRegistry {
 public:
  static G4HadronicInteractionRegistry* Instance();
  G4HadronicInteraction* FindModel(const G4String& name);
};
class G4HadronicParameters {
 public:
  static G4HadronicParameters* Instance();
  G4double GetMaxEnergy() const;
  G4double GetMaxEnergyTransitionFTF_Cascade() const;
};
class G4VProcess {};
class G4HadronInelasticProcess : public G4VProcess {
 public:
  explicit G4HadronInelasticProcess(const G4String&, const G4ParticleDefinition* = nullptr);
  void AddDataSet(G4VCrossSectionDataSet*);
  void RegisterMe(G4HadronicInteraction*);
};
class G4ProcessManager {
 public:
  G4int AddDiscreteProcess(G4VProcess*, G4int = 1000);
};
class G4IonConstructor {
 public:
  static void ConstructParticle();
};
struct G4Deuteron : G4ParticleDefinition {
  static G4Deuteron* Deuteron();
};
struct G4Triton : G4ParticleDefinition {
  static G4Triton* Triton();
};
struct G4He3 : G4ParticleDefinition {
  static G4He3* He3();
};
struct G4Alpha : G4ParticleDefinition {
  static G4Alpha* Alpha();
};
struct G4GenericIon : G4ParticleDefinition {
  static G4GenericIon* GenericIon();
};
class G4IonTable {
 public:
  static G4IonTable* GetIonTable();
  G4ParticleDefinition* GetIon(G4int Z, G4int A, G4double excitation);
};
class G4Material {};
class G4NistManager {
 public:
  static G4NistManager* Instance();
  G4Material* FindOrBuildMaterial(const G4String&);
};
class G4VSolid {};
class G4Box : public G4VSolid {
 public:
  G4Box(const G4String&, G4double, G4double, G4double);
};
class G4LogicalVolume {
 public:
  G4LogicalVolume(G4VSolid*, G4Material*, const G4String&);
};
class G4RotationMatrix;
class G4VPhysicalVolume {};
class G4PVPlacement : public G4VPhysicalVolume {
 public:
  G4PVPlacement(G4RotationMatrix*, const G4ThreeVector&, G4LogicalVolume*, const G4String&, G4LogicalVolume*, G4bool,
                G4int, G4bool = false);
};
class G4Event;
class G4ParticleGun {
 public:
  explicit G4ParticleGun(G4int);
  void SetParticleDefinition(G4ParticleDefinition*);
  void SetParticleCharge(G4double);
  void SetParticleEnergy(G4double);
  void SetParticlePosition(G4ThreeVector);
  void SetParticleMomentumDirection(G4ThreeVector);
  void GeneratePrimaryVertex(G4Event*);
};
class G4Track {
 public:
  G4ParticleDefinition* GetDefinition() const;
  G4int GetTrackID() const;
  G4int GetParentID() const;
};
class G4StepPoint {
 public:
  const G4ThreeVector& GetPosition() const;
};
class G4Step {
 public:
  G4Track* GetTrack() const;
  G4StepPoint* GetPreStepPoint() const;
  G4StepPoint* GetPostStepPoint() const;
  G4double GetTotalEnergyDeposit() const;
};
class G4UserSteppingAction {
 public:
  virtual ~G4UserSteppingAction();
  virtual void UserSteppingAction(const G4Step*) {}
};
class G4UserEventAction {
 public:
  virtual ~G4UserEventAction();
  virtual void EndOfEventAction(const G4Event*) {}
};
class G4VUserDetectorConstruction {
 public:
  virtual ~G4VUserDetectorConstruction();
  virtual G4VPhysicalVolume* Construct() = 0;
};
class G4VUserPrimaryGeneratorAction {
 public:
  virtual ~G4VUserPrimaryGeneratorAction();
  virtual void GeneratePrimaries(G4Event*) = 0;
};
class G4VUserActionInitialization {
 public:
  virtual ~G4VUserActionInitialization();
  virtual void Build() const = 0;

 protected:
  void SetUserAction(G4VUserPrimaryGeneratorAction*) const;
  void SetUserAction(G4UserSteppingAction*) const;
  void SetUserAction(G4UserEventAction*) const;
};
class G4VUserPhysicsList {};
class G4VModularPhysicsList : public G4VUserPhysicsList {
 public:
  void ReplacePhysics(G4VPhysicsConstructor*);
};
class G4PhysListFactory {
 public:
  G4VModularPhysicsList* GetReferencePhysList(const G4String&);
};
class G4RunManager {
 public:
  virtual ~G4RunManager();
  virtual void SetUserInitialization(G4VUserDetectorConstruction*);
  virtual void SetUserInitialization(G4VUserPhysicsList*);
  virtual void SetUserInitialization(G4VUserActionInitialization*);
  virtual void Initialize();
  virtual void BeamOn(G4int, const char* = nullptr, G4int = -1);
};
enum class G4RunManagerType : G4int { Serial = 0 };
class G4RunManagerFactory {
 public:
  static G4RunManager* CreateRunManager(G4RunManagerType);
};
